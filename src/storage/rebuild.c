/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The database made anew from what lies beside it. */
#include "base/fd.h"
#include "base/names.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "storage/blob.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/usage.h"

#include <stdio.h>
#include <sys/stat.h>

/* The damaged one stays beside the new one, for who wants to look at it. */
static int put_aside(struct depot *d, struct nook_error *e)
{
	auto_close int lock = TRY(file_lock(d->fd, "depot.lock", e));

	depot_db_close(d);
	if (renameat(d->fd, "depot.db", d->fd, "depot.db.damaged") < 0 && errno != ENOENT)
		return err_sys(e, STEP_IMAGE, "depot.db");
	(void)unlinkat(d->fd, "depot.db-wal", 0);
	(void)unlinkat(d->fd, "depot.db-shm", 0);
	return 0;
}

/* What layers take is known from unpacking them; now it is what they take on the disk. */
static int add_layers(struct depot *d, struct db *db, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **names = NULL;
	size_t n = 0;

	TRY(names_read(d->fd, "layers", a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		char path[LAYER_PATH_MAX];
		uint64_t bytes = 0;

		layer_path(names[i], path);
		TRY(usage_of(d->fd, path, &bytes, e));
		TRY(db_run(db, e, "INSERT OR REPLACE INTO layer VALUES (?, ?, ?)", "sii", names[i], (int64_t)bytes, INT64_C(0)));
	}
	return 0;
}

/* Is the blob a manifest of an image? */
static bool is_manifest(struct depot *d, const char *digest)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct image_document document;
	char path[BLOB_PATH_MAX];
	struct stat st;

	blob_path(digest, path);
	if (fstatat(d->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_size > MANIFEST_BYTES_MAX)
		return false;
	if (blob_read(d, digest, MANIFEST_BYTES_MAX, &text, NULL) < 0 || !text.len || *buf_text(&text) != '{')
		return false;
	return image_document_parse(buf_text(&text), text.len, NULL, digest, a, &document, NULL) == 0 && !document.is_index &&
		manifest_check_image(&document.manifest, digest, NULL) == 0;
}

int depot_rebuild(struct depot *d, void (*found)(const char *digest), struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct db *db = NULL;

	TRY(put_aside(d, e));
	TRY(depot_db(d, &db, e));
	TRY(add_layers(d, db, e));
	for (int algorithm = 0; algorithm < DIGEST_ALGORITHMS; algorithm++) {
		const char **names = NULL;
		size_t n = 0;

		TRY(names_read(d->fd, arena_printf(a, "blobs/%s", digest_names[algorithm]), a, &names, &n, e));
		for (size_t i = 0; i < n; i++) {
			const char *digest = arena_printf(a, "%s:%s", digest_names[algorithm], names[i]);

			/* What is not whole is no image; its blobs are told of as things that nobody needs. */
			if (digest_is_valid(digest) && is_manifest(d, digest) && image_commit(d, NULL, digest, NULL, NULL) == 0)
				found(digest);
		}
	}
	return 0;
}
