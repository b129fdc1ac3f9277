/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook export --format oci: a container's whole root as an OCI archive with one image of one layer, past the depot. */
#include "transfer/transfer.h"

#include "command/image_options.h"
#include "command/unpaused.h"
#include "disk/draft.h"
#include "image/digest.h"
#include "runtime/container.h"
#include "runtime/inside.h"
#include "stream/tree.h"
#include "transfer/archive_out.h"
#include "transfer/layertar.h"

#include <string.h>

struct export {
	struct cli *cli;
	const struct export_options *options;
	struct store_run *store;
	struct container container;
	const char *path;
	int out; /* of the process that reads: the stream */
};

static int job_tar(int root, void *data, struct nook_error *e)
{
	const struct export *x = data;

	/* TREE_LAYER: a layer begins with its top. */
	return tree_write(root, NULL, "", TREE_LAYER | TREE_LOWEST | TREE_SPARSE, x->out, e);
}

static int write_root(const void *data, int out, struct nook_error *e)
{
	struct export x = *(const struct export *)data;

	x.out = out;
	return inside_run(x.store, &x.container, INSIDE_ROOT_ALONE, job_tar, &x, e);
}

/* The layer, compressed into a file without a name: only then its digest is known, which is its name in the archive. */
static int read_layer(const struct export *x, int file, struct descriptor *ret, const char **ret_diff_id, struct nook_error *e)
{
	AUTO(newlayer_free) struct newlayer *l = newlayer_in_file(file, COMPRESSION_GZIP);
	struct arena *a = x->cli->arena;
	int frozen = x->options->no_pause ? 0 : TRY(inside_freeze(&x->container, a, e));
	int r = layertar_run(l, &(struct layertar_work){.write = write_root, .data = x}, e);
	int thawed = frozen ? inside_thaw(&x->container, a, r < 0 ? NULL : e) : 0;

	TRY(r);
	TRY(thawed);
	return newlayer_end(l, a, ret, ret_diff_id, e);
}

static int find_config(const struct export *x, struct image_config *ret, struct nook_error *e)
{
	const char *text = x->container.config;

	*ret = (struct image_config){0};
	if (x->options->no_config || !*text)
		return 0;
	return image_config_parse(text, strlen(text), 0, x->container.id, x->cli->arena, ret, e);
}

static const char *blob_name(const char *digest, struct arena *a)
{
	return arena_printf(a, "blobs/sha256/%s", digest_hex(digest));
}

static int write_archive(const struct export *x, int layer_file, const struct descriptor *layer, const struct newimage_texts *t, int out,
	struct nook_error *e)
{
	struct arena *a = x->cli->arena;
	struct archive_out o = {.dir = -EBADF, .stream = out, .arena = a};
	struct descriptor manifest = {.media_type = media_oci_manifest, .digest = t->manifest_digest, .size = strlen(t->manifest)};
	const struct image_index index = {.n_manifests = 1, .manifests = &manifest};

	TRY(archive_out_text(&o, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e));
	TRY(archive_out_text(&o, "index.json", image_index_text(&index, a), e));
	TRY(archive_out_folder(&o, "blobs", e));
	TRY(archive_out_folder(&o, "blobs/sha256", e));
	TRY(archive_out_text(&o, blob_name(t->manifest_digest, a), t->manifest, e));
	TRY(archive_out_text(&o, blob_name(t->config_digest, a), t->config, e));
	TRY(archive_out_file(&o, blob_name(layer->digest, a), layer_file, layer->size, e));
	return archive_out_end(&o, e);
}

static int export(const struct export *x, struct nook_error *e)
{
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	AUTO_VALUE(draft_done) struct draft packed = DRAFT_INIT;
	struct image_config config;
	struct descriptor layer;
	struct newimage n = {.config = &config, .layer = &layer, .created_by = "nook export"};
	struct newimage_texts texts;
	const char *diff_id = NULL;

	TRY(find_config(x, &config, e));
	TRY(draft_open(&d, x->path, e));
	TRY(draft_open(&packed, arena_printf(x->cli->arena, "%s.layer", x->path), e));
	if (!x->options->no_pause)
		note_unpaused(x->cli, &x->container);
	TRY(read_layer(x, packed.fd, &layer, &diff_id, e));
	n.diff_id = diff_id;
	newimage_texts(&n, x->cli->arena, &texts);
	TRY(write_archive(x, packed.fd, &layer, &texts, d.fd, e));
	return draft_publish(&d, x->path, e);
}

int export_oci_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *store = NULL;
	struct export x = {.cli = c, .options = options, .path = argv[1], .out = -EBADF};

	(void)argc;
	TRY(runtime_open(c->run, c->arena, &store, e));
	TRY(container_load(store, argv[0], c->arena, &x.container, e));
	x.store = store;
	return export(&x, e);
}
