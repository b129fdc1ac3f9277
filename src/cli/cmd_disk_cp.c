/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "command/command.h"
#include "disk/disk.h"
#include "disk/draft.h"
#include "disk/sparse.h"

struct options {
	const char *reflink;
};

static const struct opt options_table[] = {
	{0, "reflink", "auto|always|never", OPT_OPTIONAL, offsetof(struct options, reflink),
	 "share blocks with the original: where the file system can (auto, the default), or not at all without (always)"},
	{0},
};

static int parse(const char *text, enum reflink *ret, struct nook_error *e)
{
	if (!text || text_is(text, "auto"))
		*ret = REFLINK_AUTO;
	else if (!*text || text_is(text, "always"))
		*ret = REFLINK_ALWAYS;
	else if (text_is(text, "never"))
		*ret = REFLINK_NEVER;
	else
		return err_fmt(e, STEP_OPTION, "--reflink", EINVAL, "\"%s\" is not auto, always or never", text);
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	auto_close int from = -EBADF;
	enum reflink how = REFLINK_AUTO;
	struct fsimage image;

	(void)c, (void)argc;
	TRY(parse(o->reflink, &how, e));
	from = TRY(fsimage_open(argv[0], FSIMAGE_READ_ONLY, e));
	TRY(fsimage_probe(from, argv[0], &image, e));
	TRY(draft_open(&d, argv[1], e));
	TRY(sparse_copy(from, d.fd, how, argv[1], e));
	return draft_publish(&d, argv[1], e);
}

const struct command cmd_disk_cp = {
	.name = "cp",
	.usage = "[--reflink] FILE NEW",
	.summary = "copy a disk: holes stay holes, and blocks are shared where that can be",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
	.examples = "nook disk cp web.img web-before-upgrade.img\n",
};
