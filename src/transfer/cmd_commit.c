/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "base/text.h"
#include "command/image_options.h"
#include "command/unpaused.h"
#include "runtime/container.h"
#include "runtime/inside.h"
#include "runtime/upper.h"
#include "storage/image.h"
#include "stream/tree.h"
#include "transfer/copylayer.h"
#include "transfer/layertar.h"
#include "transfer/options.h"

#include <stdio.h>

struct commit {
	struct cli *cli;
	const struct commit_options *options;
	struct store_run *store;
	struct container container;
	struct depot *depot;
	struct image image;
	struct manifest manifest;
	struct image_config config;
	struct upper upper;
	bool pauses;
};

/* The image's, with what the container was started with. */
static int find_config(struct commit *c, struct nook_error *e)
{
	struct image_config started;

	TRY(image_config(c->depot, &c->image, c->cli->arena, &c->config, e));
	if (!*c->container.config)
		return 0;
	TRY(image_config_parse(c->container.config, strlen(c->container.config), 0, c->container.id, c->cli->arena, &started, e));
	c->config.run = started.run;
	return 0;
}

static int find_image(struct commit *c, struct nook_error *e)
{
	const char *digest = container_annotation(&c->container, ANNOTATION_IMAGE);

	if (!digest)
		return err_why(e, STEP_CONTAINER, c->container.id, EINVAL, "was not made of an image; nook export and nook import make one of its root");
	TRY(image_find(c->depot, digest, c->cli->arena, &c->image, NULL, e));
	TRY(image_manifest(c->depot, &c->image, c->cli->arena, &c->manifest, e));
	return find_config(c, e);
}

/* An ordinary user's files belong to the ids of his containers, and only their root can read all. */
static int read_changes(struct commit *c, struct newlayer *l, struct nook_error *e)
{
	const struct copylayer copy = {&c->image, &c->upper};
	struct idrange range = {0};
	struct layertar_work work = {.write = copylayer_write, .data = &copy};

	if (geteuid() != 0) {
		TRY(idrange_choose(-EBADF, c->container.id, true, c->cli->arena, &range, e));
		work.range = &range;
	}
	if (c->upper.is_whole)
		return layertar_run(l, &work, e);
	return layertar_add(l, c->upper.dir, TREE_LAYER | TREE_ONE_FS | TREE_SPARSE, work.range, e);
}

static int read_quietly(struct commit *c, struct newlayer *l, struct nook_error *e)
{
	int frozen = c->pauses ? TRY(inside_freeze(&c->container, c->cli->arena, e)) : 0, r;

	if (c->pauses)
		note_unpaused(c->cli, &c->container);
	r = read_changes(c, l, e);
	if (frozen)
		(void)inside_thaw(&c->container, c->cli->arena, r < 0 ? NULL : e);
	return r;
}

static int commit(struct commit *c, const char *name, struct nook_error *e)
{
	AUTO(newlayer_free) struct newlayer *l = NULL;
	struct arena *a = c->cli->arena;
	enum compression compression;
	struct descriptor layer;
	const char *diff_id = NULL, *id = NULL;
	struct newimage n = {
		.old = &c->manifest,
		.config = &c->config,
		.layer = &layer,
		.created_by = c->container.command,
		.comment = c->options->message,
		.author = c->options->author,
		.name = name,
	};

	TRY(option_compression(c->options->compression, &compression, e));
	for (size_t i = 0; i < c->options->changes.n; i++)
		TRY(image_config_change(&c->config, c->options->changes.items[i], a, e));
	TRY(newlayer_open(c->depot, compression, &l, e));
	TRY(read_quietly(c, l, e));
	TRY(newlayer_finish(l, a, &layer, &diff_id, e));
	n.diff_id = diff_id;
	TRY(newimage_commit(c->depot, &n, a, &id, e));
	(void)printf("%s\n", id);
	return 0;
}

int commit_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *store = NULL;
	AUTO(depot_close) struct depot *d = NULL;
	struct commit job = {.cli = c, .options = options, .upper = UPPER_INIT};
	const char *name = NULL;
	int r;

	TRY(option_bool("--pause", job.options->pause, &job.pauses, e));
	job.pauses &= !job.options->no_pause;
	if (argc > 1)
		TRY(option_name(argv[1], c->arena, &name, e));
	TRY(runtime_open(c->run, c->arena, &store, e));
	TRY(container_load(store, argv[0], c->arena, &job.container, e));
	TRY(depot_open(c->root, DEPOT_WRITE, c->arena, &d, e));
	job.store = store;
	job.depot = d;
	TRY(find_image(&job, e));
	TRY(upper_open(store, &job.container, c->arena, &job.upper, e));
	r = commit(&job, name, e);
	upper_done(&job.upper);
	return r;
}
