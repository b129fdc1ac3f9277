/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "archive/inflate.h"
#include "base/fd.h"
#include "command/image_options.h"
#include "stream/tree.h"
#include "transfer/layertar.h"
#include "transfer/options.h"
#include "transfer/rootfile.h"
#include "transfer/shut_in.h"

#include <stdio.h>
#include <sys/stat.h>

/* xz and bzip2 have run already when the rest is shut in; what they have written is not looked at before. */
static int add_file(struct depot *d, struct newlayer *l, const struct import_want *want, struct nook_error *e)
{
	auto_close int fd = TRY(rootfile_open(d, want->source, e));

	if (want->shut_in) {
		TRY(shut_in(want->shut_in, NULL, want->starter, e));
		d->unpackers = &want->starter->unpackers;
	}
	AUTO(inflate_free) struct inflate *f = inflate_new(fd, -1, DIGEST_SHA256);
	const void *data;
	ssize_t n;

	while ((n = inflate_read(f, &data, e)) > 0)
		TRY(newlayer_add(l, data, (size_t)n, e));
	return (int)n;
}

static int add_directory(struct newlayer *l, const char *path, struct nook_error *e)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, STEP_SOURCE, path);
	return layertar_add(l, dir, TREE_LAYER | TREE_ONE_FS | TREE_SPARSE, NULL, e);
}

int import_source(struct depot *d, const struct import_want *want, struct arena *a, const char **ret_id, struct nook_error *e)
{
	AUTO(newlayer_free) struct newlayer *l = NULL;
	struct descriptor layer;
	struct image_config config = {0};
	const char *diff_id = NULL;
	struct newimage n = {.config = &config, .layer = &layer, .created_by = want->created_by, .comment = want->message, .name = want->name};
	struct stat st;

	TRY(newlayer_open(d, want->compression, &l, e));
	if (stat(want->source, &st) == 0 && S_ISDIR(st.st_mode))
		TRY(add_directory(l, want->source, e));
	else
		TRY(add_file(d, l, want, e));
	if (want->platform)
		config.platform = *want->platform;
	for (size_t i = 0; i < want->changes.n; i++)
		TRY(image_config_change(&config, want->changes.items[i], a, e));
	TRY(newlayer_finish(l, a, &layer, &diff_id, e));
	n.diff_id = diff_id;
	return newimage_commit(d, &n, a, ret_id, e);
}

int import_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct import_options *o = options;
	struct import_want want = {.source = argv[0], .message = o->message, .changes = o->changes, .created_by = "nook import"};
	AUTO_VALUE(starter_done) struct starter starter = {0};
	AUTO(depot_close) struct depot *d = NULL;
	struct platform platform;
	const char *id = NULL;

	if (o->platform) {
		TRY(platform_parse(o->platform, c->arena, &platform, e));
		want.platform = &platform;
	}
	want.shut_in = c;
	want.starter = &starter;
	TRY(option_compression(o->compression, &want.compression, e));
	if (argc > 1)
		TRY(option_name(argv[1], c->arena, &want.name, e));
	TRY(depot_open(c->root, DEPOT_WRITE, c->arena, &d, e));
	TRY(import_source(d, &want, c->arena, &id, e));
	(void)printf("%s\n", id);
	return 0;
}
