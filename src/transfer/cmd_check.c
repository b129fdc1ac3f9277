/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store looked through: does every image have what it needs, and is every blob what its name says?  Layers are unpacked
 * anew from their blobs; an image that cannot be made whole is taken away, so that the next pull brings it.
 */
#include "transfer/transfer.h"

#include "base/fd.h"
#include "base/names.h"
#include "base/plain.h"
#include "base/text.h"
#include "command/image_options.h"
#include "image/digest.h"
#include "image/reference.h"
#include "storage/blob.h"
#include "storage/collect.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "storage/layer.h"

#include <stdio.h>

enum { HASH_BLOCK = 256 << 10 };

struct check {
	struct cli *cli;
	struct depot *depot;
	bool repair;
	size_t found, left;
	const char **compared; /* keys of layers */
	size_t n_compared;
};

static void check_done(struct check *c)
{
	depot_close(c->depot);
}

static int hash_file(int fd, const char *digest, bool *ret_right, struct nook_error *e)
{
	AUTO(hash_free) struct hash *h = hash_new(digest_algorithm(digest));
	auto_free char *block = xcalloc(1, HASH_BLOCK);
	char text[DIGEST_TEXT_MAX];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, block, HASH_BLOCK, at)) > 0) {
		hash_add(h, block, (size_t)n);
		at += n;
	}
	if (n < 0)
		return err_sys(e, STEP_IMAGE, digest);
	hash_end(h, text);
	*ret_right = text_is(text, digest);
	return 0;
}

/* 1: it is there and right.  A wrong one is told of, and removed when repairing. */
static int check_blob(struct check *c, const char *name, const char *digest, struct nook_error *e)
{
	auto_close int fd = blob_open(c->depot, digest, NULL, e);
	char path[BLOB_PATH_MAX];
	bool right = false;

	if (fd >= 0)
		TRY(hash_file(fd, digest, &right, e));
	else if (fd != -ENOENT)
		return fd;
	if (right)
		return 1;
	c->found++;
	(void)printf("image %s: blob %s is %s\n", name, digest, fd < 0 ? "missing" : "damaged");
	blob_path(digest, path);
	if (fd >= 0 && c->repair && unlinkat(c->depot->fd, path, 0) < 0)
		return err_sys(e, STEP_IMAGE, digest);
	return 0;
}

struct state {
	bool documents, blobs, layers;
};

static int look(struct check *c, const struct image *i, const char *name, struct state *s, struct nook_error *e)
{
	struct manifest m = {0};

	s->documents = TRY(check_blob(c, name, i->digest, e));
	s->documents &= TRY(check_blob(c, name, i->id, e));
	s->blobs = s->layers = true;
	if (s->documents && image_manifest(c->depot, i, c->cli->arena, &m, NULL) < 0)
		s->documents = false;
	for (size_t n = 0; n < m.n_layers; n++)
		s->blobs &= TRY(check_blob(c, name, m.layers[n].digest, e));
	for (size_t n = 0; n < i->n_layers; n++) {
		const char *key = strrchr(i->layers[n], '/') + 1;

		if (layer_exists(c->depot, key))
			continue;
		s->layers = false;
		c->found++;
		(void)printf("image %s: layer %s is missing\n", name, key);
	}
	return 0;
}

static bool was_compared(struct check *c, const char *key)
{
	for (size_t i = 0; i < c->n_compared; i++)
		if (text_is(c->compared[i], key))
			return true;
	*arena_push(c->cli->arena, &c->compared, &c->n_compared) = key;
	return false;
}

/* The path is the image's. */
static void tell_changed(const struct check *c, const char *name, const char *key, const char *path)
{
	AUTO_VALUE(buf_done) struct buf plain = {0};

	plain_add(path, &plain);
	(void)printf("image %s: layer %s was changed at %s%s\n", name, key, buf_text(&plain), c->repair ? "; unpacked anew" : "");
}

/* Every layer against what its blob unpacks to. */
static int compare_layers(struct check *c, const struct image *i, const char *name, struct nook_error *e)
{
	const enum layer_repair repair = c->repair ? LAYER_REPAIRED : LAYER_LEFT;

	for (size_t nth = 0; nth < i->n_layers; nth++) {
		const char *key = strrchr(i->layers[i->n_layers - 1 - nth], '/') + 1;
		char path[PATH_MAX] = ".";

		if (was_compared(c, key) || TRY(image_check_layer(c->depot, i, nth, repair, path, e)) == 0)
			continue;
		c->found++;
		tell_changed(c, name, key, path);
	}
	return 0;
}

static int check_image(struct check *c, const struct image *i, struct nook_error *e)
{
	const char *name = i->n_names ? reference_familiar(i->names[0]) : i->id;
	struct state s;

	TRY(look(c, i, name, &s, e));
	if (s.documents && s.blobs && s.layers)
		return compare_layers(c, i, name, e);
	if (!c->repair)
		return 0;
	if (s.documents && s.blobs) {
		TRY(image_commit(c->depot, NULL, i->digest, NULL, e));
		(void)printf("image %s: unpacked anew\n", name);
		return 0;
	}
	if (s.documents && s.layers) {
		(void)printf("image %s: can be run, but not saved or pushed until it is pulled again\n", name);
		return 0;
	}
	TRY(image_remove(c->depot, i, NULL, e));
	(void)printf("image %s: removed; pull it again\n", name);
	return 0;
}

static int check_garbage(struct check *c, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct garbage g = {.arena = a};

	TRY(garbage_find(c->depot, &g, e));
	for (size_t i = 0; i < g.n_layers; i++)
		(void)printf("layer %s: no image needs it\n", g.layers[i]);
	for (size_t i = 0; i < g.n_blobs; i++)
		(void)printf("blob %s: no image needs it\n", g.blobs[i]);
	c->found += g.n_layers + g.n_blobs;
	return c->repair ? garbage_collect(c->depot, &g, NULL, e) : 0;
}

/* ---- the database --------------------------------------------------------------------------------------------------- */

static void found_again(const char *digest)
{
	(void)printf("image %s: found again, without its name: nook tag gives it one\n", digest);
}

static bool has_blobs(const struct cli *c)
{
	const char **names = NULL;
	size_t n = 0;

	return names_read(AT_FDCWD, arena_printf(c->arena, "%s/images/blobs/sha256", c->root), c->arena, &names, &n, NULL) == 0 && n;
}

/* 1: it is damaged, and stays so. */
static int check_database(struct check *c, const char *what, struct nook_error *e)
{
	c->found++;
	(void)printf("depot.db: %s\n", what);
	return c->repair ? depot_rebuild(c->depot, found_again, e) : 1;
}

static int open_depot(struct check *c, struct nook_error *e)
{
	struct nook_error why = NOOK_ERROR_INIT;
	struct db *db = NULL;
	int r = TRY(depot_open(c->cli->root, DEPOT_READ, c->cli->arena, &c->depot, e));

	if (r == 1 && !has_blobs(c->cli))
		return 1;
	if (r == 1 && c->repair)
		TRY(depot_open(c->cli->root, DEPOT_WRITE, c->cli->arena, &c->depot, e));
	if (r == 1)
		return check_database(c, "is missing, and there are blobs", e);
	r = depot_db(c->depot, &db, &why);
	if (r == 0)
		r = db_check(db, &why);
	if (r == -EBADMSG)
		return check_database(c, why.detail, e);
	if (r < 0 && e)
		*e = why;
	return r;
}

int store_check_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct store_check_options *o = options;
	AUTO_VALUE(check_done) struct check check = {.cli = c, .repair = o->repair};
	struct image *images = NULL;
	size_t n = 0;

	if (TRY(open_depot(&check, e)))
		return check.found != 0;
	if (o->repair)
		TRY(depot_sweep(check.depot, PARTIAL_SECONDS, e));
	TRY(image_list(check.depot, c->arena, &images, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (check_image(&check, &images[i], &one) < 0) {
			cli_error(c, &one);
			check.left++;
		}
	}
	TRY(check_garbage(&check, e));
	return o->repair ? check.left != 0 : check.found != 0 || check.left != 0;
}
