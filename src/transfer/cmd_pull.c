/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pull: what the name stands for, the places where it may be, the manifest (down from an index to this platform), the
 * config, then the layers, several at a time and each unpacked while it comes.  The image gets its name last, when all is
 * there; whatever ends a pull before leaves nothing that has a name.
 */
#include "transfer/transfer.h"

#include "base/text.h"
#include "command/registry_options.h"
#include "storage/blob.h"
#include "storage/image.h"
#include "transfer/blobs.h"
#include "transfer/crew.h"
#include "transfer/document.h"
#include "transfer/reach.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, LABEL_DIGITS = 12, PLACES_MAX = 65 };

/* Each thread has a depot of its own; what it locks stays locked until the image has its name. */
struct pull_worker {
	struct arena *arena;
	struct depot *depot;
};

struct pull {
	struct cli *cli;
	const struct pull_options *options;
	struct arena *arena;
	struct reach *reach;
	struct depot *depot;
	struct progress progress;
	struct platform platform;
	const char *name;                 /* canonical */
	const char *wanted;               /* tag or digest */
	struct remote *remotes[PLACES_MAX]; /* in the order in which blobs are asked for */
	size_t n_remotes;
	struct pull_worker workers[WORKERS];
	/* of the manifest at hand */
	const struct manifest *manifest;
	struct image_config config;
};

static void pull_done(struct pull *p)
{
	for (size_t i = 0; i < p->n_remotes; i++)
		remote_free(p->remotes[i]);
	for (size_t i = 0; i < WORKERS; i++) {
		depot_close(p->workers[i].depot);
		arena_free(p->workers[i].arena);
	}
	depot_close(p->depot);
}

static const char *label(const char *digest, struct arena *a)
{
	return arena_printf(a, "%.*s", LABEL_DIGITS, digest_hex(digest));
}

/* ---- blobs ---------------------------------------------------------------------------------------------------------- */

static struct blob_source source_of(const struct pull *p)
{
	return (struct blob_source){.remotes = p->remotes, .n = p->n_remotes, .http = p->reach->http, .tries = reach_tries(p->reach)};
}

static int run_layer(void *context, size_t worker, size_t i, struct nook_error *e)
{
	struct pull *p = context;
	struct pull_worker *w = &p->workers[worker];
	const struct blob_source from = source_of(p);

	if (!w->depot) {
		w->arena = arena_new();
		TRY(reach_depot(p->reach, w->arena, &w->depot, e));
	}
	return blob_fetch(w->depot, &from, &p->manifest->layers[i], p->config.diff_ids[i], &p->progress.rows[i], e);
}

static int pull_layers(struct pull *p, struct nook_error *e)
{
	struct progress_row *rows = progress_rows(&p->progress, p->manifest->n_layers, p->arena);
	const struct crew_work work = {
		.n = p->manifest->n_layers, .run = run_layer, .context = p, .workers = WORKERS, .http = p->reach->http,
		.progress = &p->progress,
	};

	for (size_t i = 0; i < p->manifest->n_layers; i++) {
		rows[i].label = label(p->manifest->layers[i].digest, p->arena);
		rows[i].total = p->manifest->layers[i].size;
	}
	return crew_run(&work, e);
}

static int pull_config(struct pull *p, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const struct blob_source from = source_of(p);
	const struct descriptor *d = &p->manifest->config;
	struct progress_row row = {0};

	if (d->size > CONFIG_BYTES_MAX)
		return err_fmt(e, STEP_REGISTRY, p->name, EFBIG, "its config has %llu bytes", (unsigned long long)d->size);
	TRY(blob_fetch(p->depot, &from, d, NULL, &row, e));
	TRY(blob_read(p->depot, d->digest, CONFIG_BYTES_MAX, &text, e));
	return image_config_parse(buf_text(&text), text.len, p->manifest->n_layers, p->name, p->arena, &p->config, e);
}

/* ---- one image ------------------------------------------------------------------------------------------------------ */

/* All of D, a manifest; NAME leads to it afterwards, unless NULL. */
static int pull_manifest(struct pull *p, const struct document *d, const char *name, const char *target, struct nook_error *e)
{
	p->manifest = &d->parsed.manifest;
	TRY(manifest_check_image(p->manifest, p->name, e));
	TRY(pull_config(p, e));
	TRY(pull_layers(p, e));
	TRY(blob_add(p->depot, d->text, d->len, d->digest, p->arena, NULL, e));
	return image_commit(p->depot, name, d->digest, target, e);
}

/* The image of every platform; the name is that of the one for this machine. */
static int pull_all(struct pull *p, const struct document *top, struct nook_error *e)
{
	const struct image_index *index = &top->parsed.index;
	const struct descriptor *ours = NULL;

	TRY(image_index_select(index, &p->platform, p->name, p->arena, &ours, e));
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *now = &index->manifests[i];
		struct document *d = arena_new_of(p->arena, struct document);

		if (now->has_platform && platform_is_unknown(&now->platform))
			continue;
		if (now->has_platform)
			progress_say(&p->progress, "%s", platform_text(&now->platform, p->arena));
		TRY(document_fetch(p->remotes[0], now->digest, now->size, p->arena, d, e));
		TRY(document_descend(p->remotes[0], &p->platform, p->arena, d, e));
		TRY(pull_manifest(p, d, now == ours ? p->name : NULL, now == ours ? top->digest : NULL, e));
	}
	return 0;
}

/* Does the name stand for the same as when it was pulled last? */
static bool is_current(struct pull *p, struct remote *r)
{
	const char *kept = NULL, *now = NULL;
	struct image image;

	if (p->options->all_platforms || image_target(p->depot, p->name, p->arena, &kept, NULL) < 0 || !kept)
		return false;
	if (image_find(p->depot, p->name, p->arena, &image, NULL, NULL) < 0 ||
		!text_is(image.platform, platform_text(&p->platform, p->arena)))
		return false;
	if (strchr(p->wanted, ':'))
		return text_is(kept, p->wanted);
	return document_head(r, p->wanted, p->arena, &now, NULL) == 0 && text_is(kept, now);
}

static int add_remotes(struct pull *p, const struct reference *name, struct nook_error *e)
{
	struct registries_place *places = NULL;
	size_t n = 0;

	TRY(registries_places(&p->reach->conf, name->registry, name->repository, name->digest ? REGISTRIES_BY_DIGEST : REGISTRIES_BY_TAG,
		p->arena, &places, &n, e));
	for (size_t i = 0; i < n && i < PLACES_MAX; i++) {
		TRY(reach_remote(p->reach, &places[i], "pull", &p->remotes[i], e));
		p->n_remotes++;
	}
	return 0;
}

/* Places that did not have the manifest are not asked for blobs. */
static void drop_remote(struct pull *p)
{
	remote_free(p->remotes[0]);
	p->n_remotes--;
	for (size_t i = 0; i < p->n_remotes; i++)
		p->remotes[i] = p->remotes[i + 1];
}

/* 0, or 1 when the depot has it as it is now. */
static int find_document(struct pull *p, struct document *ret, struct nook_error *e)
{
	for (;;) {
		int r;

		if (is_current(p, p->remotes[0]))
			return 1;
		r = document_fetch(p->remotes[0], p->wanted, 0, p->arena, ret, e);
		if (r == 0 || p->n_remotes == 1 || r == -ECANCELED)
			return r;
		cli_debug(p->cli, "%s: %s; asking the next place", remote_name(p->remotes[0]), e->detail);
		drop_remote(p);
	}
}

static int pull_name(struct reach *reach, struct depot *depot, const struct pull_options *o, const struct reference *name, struct nook_error *e)
{
	AUTO_VALUE(pull_done) struct pull p = {
		.cli = reach->cli, .options = o, .arena = reach->arena, .reach = reach, .depot = depot,
		.name = reference_text(name, reach->arena), .wanted = name->digest ? name->digest : name->tag,
	};
	struct document d = {0};
	int r;

	progress_init(&p.progress, p.cli, "downloading", "pulled", o->quiet);
	platform_host(&p.platform);
	if (o->platform)
		TRY(platform_parse(o->platform, p.arena, &p.platform, e));
	TRY(add_remotes(&p, name, e));
	progress_say(&p.progress, "pulling %s", p.name);
	r = TRY(find_document(&p, &d, e));
	if (r == 1) {
		progress_say(&p.progress, "%s is up to date", p.name);
		return 0;
	}
	const char *target = d.digest;

	if (d.parsed.is_index)
		TRY(blob_add(depot, d.text, d.len, d.digest, p.arena, NULL, e));
	if (o->all_platforms && d.parsed.is_index)
		return pull_all(&p, &d, e);

	TRY(document_descend(p.remotes[0], &p.platform, p.arena, &d, e));
	TRY(pull_manifest(&p, &d, p.name, target, e));
	progress_say(&p.progress, "digest: %s", target);
	return 0;
}

int pull_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct pull_options *o = options;
	AUTO_VALUE(reach_done) struct reach reach = {0};
	struct reference *names = NULL;
	size_t n = 0;
	int r = -ENOENT;

	(void)argc;
	if (o->platform && o->all_platforms)
		return err_why(e, STEP_OPTION, "--platform", EINVAL, "stands beside --all-platforms");
	TRY(reach_open(c, &o->access, REACH_DEPOT, NULL, &reach, e));
	TRY(reach_names(&reach, argv[0], &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct depot *depot = NULL;

		TRY(reach_depot(&reach, c->arena, &depot, e));
		r = pull_name(&reach, depot, o, &names[i], e);
		if (r == 0) {
			(void)puts(reference_text(&names[i], c->arena));
			return 0;
		}
		/* A short name is looked for in the next registry only when this one does not have it. */
		if (r != -ENOENT && r != -EACCES)
			return r;
	}
	return r;
}
