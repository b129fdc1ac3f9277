/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/image.h"

#include "base/text.h"
#include "image/digest.h"
#include "image/reference.h"
#include "storage/blob.h"
#include "storage/layer.h"

enum { ID_PREFIX_MIN = 2 };

/* ---- rows to images -------------------------------------------------------------------------------------------------- */

#define IMAGE_COLUMNS "image.digest, image.config, image.platform, image.created, image.added, image.bytes, image.blob_bytes"

static void read_row(struct query *q, struct arena *a, struct image *i)
{
	*i = (struct image){
		.digest = arena_strdup(a, query_text(q, 0)),
		.id = arena_strdup(a, query_text(q, 1)),
		.platform = arena_strdup(a, query_text(q, 2)),
		.created_ns = query_int(q, 3),
		.added_ns = query_int(q, 4),
		.bytes = (uint64_t)query_int(q, 5),
		.blob_bytes = (uint64_t)query_int(q, 6),
	};
}

static int read_layers(struct depot *d, struct db *db, struct arena *a, struct image *i, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, "SELECT layer FROM part WHERE digest = ? ORDER BY nth DESC", "s", i->digest));
	while (TRY(query_next(q, e)))
		*arena_push(a, &i->layers, &i->n_layers) = arena_printf(a, "%s/layers/%s", d->root, query_text(q, 0));
	return 0;
}

static int read_names(struct db *db, struct arena *a, struct image *i, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;
	const char **names = NULL;

	TRY(db_query(db, &q, e, "SELECT name FROM name WHERE digest = ? ORDER BY name", "s", i->digest));
	while (TRY(query_next(q, e)))
		*arena_push(a, &names, &i->n_names) = arena_strdup(a, query_text(q, 0));
	i->names = names ? names : arena_new_n(a, const char *, 1);
	return 0;
}

/* ---- finding --------------------------------------------------------------------------------------------------------- */

/* 1: found. */
static int find_one(struct db *db, struct arena *a, struct image *ret, struct nook_error *e, const char *where, const char *value)
{
	AUTO(query_free) struct query *q = NULL;
	const char *sql = arena_printf(a, "SELECT " IMAGE_COLUMNS " FROM image %s LIMIT 1", where);

	TRY(db_query(db, &q, e, sql, "s", value));
	if (!TRY(query_next(q, e)))
		return 0;
	read_row(q, a, ret);
	return 1;
}

static int find_by_name(struct db *db, const struct reference *r, struct arena *a, struct image *ret, const char **ret_name,
	struct nook_error *e)
{
	struct reference exact = *r;
	const char *name;

	/* Where both stand, the digest decides. */
	if (exact.digest)
		exact.tag = NULL;
	name = reference_text(&exact, a);
	if (TRY(find_one(db, a, ret, e, "JOIN name ON name.digest = image.digest WHERE name.name = ?", name))) {
		if (ret_name)
			*ret_name = name;
		return 1;
	}
	if (!exact.digest)
		return 0;
	if (TRY(find_one(db, a, ret, e, "WHERE image.digest = ?", exact.digest)))
		return 1;
	return find_one(db, a, ret, e, "JOIN name ON name.digest = image.digest WHERE name.target = ?", exact.digest);
}

static bool is_id_prefix(const char *text)
{
	const size_t n = strlen(text);

	return n >= ID_PREFIX_MIN && n <= 2 * digest_sizes[DIGEST_SHA512] && strspn(text, "0123456789abcdef") == n;
}

/* 1: found, 0: none, -EEXIST: several. */
static int find_by_digest(struct db *db, enum digest_algorithm algorithm, const char *hex, struct arena *a, struct image *ret,
	struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;
	const char *from = arena_printf(a, "%s:%s", digest_names[algorithm], hex), *to = arena_printf(a, "%sg", from);
	struct image found;

	TRY(db_query(db, &q, e, "SELECT " IMAGE_COLUMNS " FROM image WHERE (config >= ?1 AND config < ?2) OR (digest >= ?1 AND digest < ?2)"
		" ORDER BY added DESC", "ss", from, to));
	if (!TRY(query_next(q, e)))
		return 0;
	read_row(q, a, &found);
	/* The same image with layers compressed in another way has the same id: the newest will do. */
	while (TRY(query_next(q, e)))
		if (!text_is(query_text(q, 1), found.id))
			return err_why(e, STEP_IMAGE, hex, EEXIST, "several images have ids that begin like this");
	*ret = found;
	return 1;
}

/* ALGORITHM -1: any. */
static int find_by_id(struct db *db, int algorithm, const char *hex, struct arena *a, struct image *ret, struct nook_error *e)
{
	int found = 0;

	for (int i = 0; !found && i < DIGEST_ALGORITHMS; i++)
		if (algorithm < 0 || algorithm == i)
			found = TRY(find_by_digest(db, (enum digest_algorithm)i, hex, a, ret, e));
	return found;
}

static int find(struct depot *d, struct db *db, const char *text, struct arena *a, struct image *ret, const char **ret_name,
	struct nook_error *e)
{
	const char *hex = NULL;
	struct reference r;
	int found = 0, algorithm = digest_split(text, &hex);

	if (!hex) {
		/* What cannot be a name may still be an id. */
		int parsed = reference_parse(text, a, &r, e);

		if (parsed < 0 && !is_id_prefix(text))
			return parsed;
		if (parsed >= 0)
			found = TRY(find_by_name(db, &r, a, ret, ret_name, e));
		hex = text;
	}
	if (!found && is_id_prefix(hex))
		found = TRY(find_by_id(db, algorithm, hex, a, ret, e));
	if (!found)
		return err_why(e, STEP_IMAGE, text, ENOENT, "there is no such image");
	TRY(read_layers(d, db, a, ret, e));
	return read_names(db, a, ret, e);
}

int image_find(struct depot *d, const char *text, struct arena *a, struct image *ret, const char **ret_name,
	struct nook_error *e)
{
	struct db *db = NULL;

	if (ret_name)
		*ret_name = NULL;
	TRY(depot_db(d, &db, e));
	/* One look at the database: what the questions find belongs together, and the locks are taken once. */
	AUTO(db_read_end) struct db *reading = db_read_begin(db);

	(void)reading;
	return find(d, db, text, a, ret, ret_name, e);
}

int image_list(struct depot *d, struct arena *a, struct image **ret, size_t *ret_n, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;
	struct image *list = NULL;
	struct db *db = NULL;
	size_t n = 0;

	TRY(depot_db(d, &db, e));
	TRY(db_query(db, &q, e, "SELECT " IMAGE_COLUMNS " FROM image ORDER BY added DESC, digest", NULL));
	while (TRY(query_next(q, e)))
		read_row(q, a, arena_push(a, &list, &n));
	for (size_t i = 0; i < n; i++) {
		TRY(read_layers(d, db, a, &list[i], e));
		TRY(read_names(db, a, &list[i], e));
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int image_target(struct depot *d, const char *name, struct arena *a, const char **ret, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;
	struct db *db = NULL;

	TRY(depot_db(d, &db, e));
	TRY(db_query(db, &q, e, "SELECT target FROM name WHERE name = ?", "s", name));
	if (!TRY(query_next(q, e)))
		return -ENOENT;
	*ret = arena_strdup(a, query_text(q, 0));
	return 0;
}

/* ---- what is in it --------------------------------------------------------------------------------------------------- */

int image_manifest(struct depot *d, const struct image *i, struct arena *a, struct manifest *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct image_document document;

	TRY(blob_read(d, i->digest, MANIFEST_BYTES_MAX, &text, e));
	TRY(image_document_parse(buf_text(&text), text.len, NULL, i->digest, a, &document, e));
	if (document.is_index)
		return err_why(e, STEP_IMAGE, i->digest, EINVAL, "is an index where a manifest was expected");
	*ret = document.manifest;
	return 0;
}

int image_config(struct depot *d, const struct image *i, struct arena *a, struct image_config *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	TRY(blob_read(d, i->id, CONFIG_BYTES_MAX, &text, e));
	return image_config_parse(buf_text(&text), text.len, i->n_layers, i->digest, a, ret, e);
}

int image_hold(struct depot *d, struct image *i, struct arena *a, int **ret_fds, struct nook_error *e)
{
	int *fds = arena_new_n(a, int, i->n_layers + 1);

	for (size_t n = 0; n < i->n_layers; n++) {
		fds[n] = layer_open(d, strrchr(i->layers[n], '/') + 1, e);
		if (fds[n] >= 0)
			continue;
		int r = fds[n] == -ENOENT ? err_fmt(e, STEP_IMAGE, i->digest, ENOENT,
			"layer %s is missing; `nook system check --repair` unpacks it anew", strrchr(i->layers[n], '/') + 1) : fds[n];

		image_release(fds, n);
		return r;
	}
	*ret_fds = fds;
	return 0;
}

void image_release(int *fds, size_t n)
{
	for (size_t i = 0; fds && i < n; i++)
		close_fd(&fds[i]);
}
