/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and removal: what changes images without touching what is in them. */
#include "storage/image.h"

#include "base/text.h"
#include "storage/collect.h"
#include "storage/layer.h"

#include <sys/file.h>

int image_tag(struct depot *d, const struct image *i, const char *name, struct nook_error *e)
{
	struct db *db = NULL;

	TRY(depot_db(d, &db, e));
	return db_run(db, e, "INSERT OR REPLACE INTO name SELECT ?1, digest, digest FROM image WHERE digest = ?2", "ss", name, i->digest);
}

/* Does a container use it?  Its topmost layers are locked then; a layer that other images have, too, tells nothing. */
static int check_unused(struct depot *d, struct db *db, const struct image *i, struct nook_error *e)
{
	for (size_t n = 0; n < i->n_layers; n++) {
		const char *key = strrchr(i->layers[n], '/') + 1;
		AUTO(query_free) struct query *q = NULL;
		char path[LAYER_PATH_MAX];

		TRY(db_query(db, &q, e, "SELECT 1 FROM part WHERE layer = ? AND digest != ?", "ss", key, i->digest));
		if (TRY(query_next(q, e)))
			continue;
		layer_path(key, path);
		auto_close int fd = openat(d->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
			return err_why(e, STEP_IMAGE, i->n_names ? i->names[0] : i->digest, EBUSY, "a running container uses it");
	}
	return 0;
}

/* Notes all that the image needs as garbage, and takes it out of the database.  In a transaction. */
static int forget(struct db *db, const char *digest, const char *id, struct garbage *g, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, "SELECT layer, blob FROM part WHERE digest = ?", "s", digest));
	while (TRY(query_next(q, e))) {
		garbage_layer(g, query_text(q, 0));
		garbage_blob(g, query_text(q, 1));
	}
	query_free(take_ptr(&q));
	TRY(db_query(db, &q, e, "SELECT target FROM name WHERE digest = ?", "s", digest));
	while (TRY(query_next(q, e)))
		garbage_blob(g, query_text(q, 0));
	garbage_blob(g, digest);
	garbage_blob(g, id);
	TRY(db_run(db, e, "DELETE FROM name WHERE digest = ?", "s", digest));
	TRY(db_run(db, e, "DELETE FROM part WHERE digest = ?", "s", digest));
	return db_run(db, e, "DELETE FROM image WHERE digest = ?", "s", digest);
}

int image_remove(struct depot *d, const struct image *i, uint64_t *bytes, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(db_rollback) struct db *db = NULL;
	struct garbage g = {.arena = a};

	TRY(depot_db(d, &db, e));
	TRY(check_unused(d, db, i, e));
	TRY(db_begin(db, e));
	TRY(forget(db, i->digest, i->id, &g, e));
	TRY(db_commit(db, e));
	return garbage_collect(d, &g, bytes, e);
}

/* 1: no name leads to DIGEST any more. */
static int is_nameless(struct db *db, const char *digest, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, "SELECT 1 FROM name WHERE digest = ?", "s", digest));
	return !TRY(query_next(q, e));
}

/* Two who take the last two names away at once must not both think that there is another one: so all in one transaction. */
int image_untag(struct depot *d, const char *name, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(db_rollback) struct db *db = NULL;
	struct garbage g = {.arena = a};
	struct image i = {0};
	int last;

	TRY(depot_db(d, &db, e));
	TRY(db_begin(db, e));
	TRY(image_find(d, name, a, &i, NULL, e));
	if (i.n_names == 1)
		TRY(check_unused(d, db, &i, e));
	TRY(db_run(db, e, "DELETE FROM name WHERE name = ?", "s", name));
	last = TRY(is_nameless(db, i.digest, e));
	if (last)
		TRY(forget(db, i.digest, i.id, &g, e));
	TRY(db_commit(db, e));
	TRY(garbage_collect(d, &g, NULL, e));
	return last;
}
