/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/collect.h"

#include "base/names.h"
#include "image/digest.h"
#include "storage/blob.h"
#include "storage/layer.h"

#include <sys/file.h>
#include <sys/stat.h>

void garbage_layer(struct garbage *g, const char *key)
{
	*arena_push(g->arena, &g->layers, &g->n_layers) = arena_strdup(g->arena, key);
}

void garbage_blob(struct garbage *g, const char *digest)
{
	*arena_push(g->arena, &g->blobs, &g->n_blobs) = arena_strdup(g->arena, digest);
}

/* ---- who needs it ---------------------------------------------------------------------------------------------------- */

static int is_needed(struct db *db, const char *sql, const char *value, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, sql, "s", value));
	return query_next(q, e);
}

static int is_layer_needed(struct db *db, const char *key, struct nook_error *e)
{
	return is_needed(db, "SELECT 1 FROM part WHERE layer = ?", key, e);
}

static int is_blob_needed(struct db *db, const char *digest, struct nook_error *e)
{
	return is_needed(db, "SELECT 1 FROM part WHERE blob = ?1 UNION ALL SELECT 1 FROM image WHERE digest = ?1 OR config = ?1"
			     " UNION ALL SELECT 1 FROM name WHERE target = ?1", digest, e);
}

/* ---- finding --------------------------------------------------------------------------------------------------------- */

int garbage_find(struct depot *d, struct garbage *g, struct nook_error *e)
{
	const char **names = NULL;
	struct db *db = NULL;
	size_t n = 0;

	TRY(depot_db(d, &db, e));
	TRY(names_read(d->fd, "layers", g->arena, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		if (!TRY(is_layer_needed(db, names[i], e)))
			garbage_layer(g, names[i]);
	for (int algorithm = 0; algorithm < DIGEST_ALGORITHMS; algorithm++) {
		TRY(names_read(d->fd, arena_printf(g->arena, "blobs/%s", digest_names[algorithm]), g->arena, &names, &n, e));
		for (size_t i = 0; i < n; i++) {
			const char *digest = arena_printf(g->arena, "%s:%s", digest_names[algorithm], names[i]);

			if (digest_is_valid(digest) && !TRY(is_blob_needed(db, digest, e)))
				garbage_blob(g, digest);
		}
	}
	return 0;
}

/* ---- removing -------------------------------------------------------------------------------------------------------- */

static int collect_layer(struct depot *d, struct db *db, const char *key, uint64_t *bytes, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;
	char path[LAYER_PATH_MAX];

	layer_path(key, path);
	auto_close int fd = openat(d->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	if (TRY(is_layer_needed(db, key, e)))
		return 0;
	TRY(db_query(db, &q, e, "SELECT bytes FROM layer WHERE key = ?", "s", key));
	if (TRY(query_next(q, e)) && bytes)
		*bytes += (uint64_t)query_int(q, 0);
	query_free(take_ptr(&q));
	TRY(db_run(db, e, "DELETE FROM layer WHERE key = ?", "s", key));
	return ingest_discard(d, path, e);
}

static int collect_blob(struct depot *d, struct db *db, const char *digest, uint64_t *bytes, struct nook_error *e)
{
	char path[BLOB_PATH_MAX];
	struct stat st;

	blob_path(digest, path);
	auto_close int fd = openat(d->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return 0;
	if (TRY(is_blob_needed(db, digest, e)))
		return 0;
	if (unlinkat(d->fd, path, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_IMAGE, digest);
	if (bytes)
		*bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

int garbage_collect(struct depot *d, const struct garbage *g, uint64_t *bytes, struct nook_error *e)
{
	struct db *db = NULL;

	TRY(depot_db(d, &db, e));
	for (size_t i = 0; i < g->n_layers; i++)
		TRY(collect_layer(d, db, g->layers[i], bytes, e));
	for (size_t i = 0; i < g->n_blobs; i++)
		if (digest_is_valid(g->blobs[i]))
			TRY(collect_blob(d, db, g->blobs[i], bytes, e));
	return 0;
}
