/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "disk/disk.h"

struct options {
	struct opt_i64 size;
};

static const struct opt options_table[] = {
	{'s', "size", "BYTES", OPT_BYTES, offsetof(struct options, size), "the new size"},
	{0},
};

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;

	(void)c, (void)argc;
	if (!o->size.set || o->size.value <= 0)
		return err_why(e, STEP_OPTION, "--size", EINVAL, "how large? such as --size 2G");
	return disk_grow(argv[0], (uint64_t)o->size.value, e);
}

const struct command cmd_disk_grow = {
	.name = "grow",
	.usage = "FILE --size BYTES",
	.summary = "make a disk and its file system larger",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.examples = "nook disk grow home.img --size 2G\n",
};
