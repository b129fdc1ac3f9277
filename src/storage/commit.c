/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making an image visible. */
#include "base/fd.h"
#include "base/text.h"
#include "storage/blob.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/unpacker.h"

#include <stdio.h>
#include <time.h>

/* All that is known before the transaction. */
struct commit {
	struct depot *depot;
	struct arena *arena;
	const char *manifest_digest;
	struct manifest manifest;
	struct image_config config;
	const char **keys; /* of the layers, bottom first */
	uint64_t bytes, blob_bytes;
};

/* A blob that somebody fetched before must not go away now. */
static int hold_blob(struct depot *d, const char *digest, uint64_t *ret_size, struct nook_error *e)
{
	int fd = blob_open(d, digest, ret_size, e);

	if (fd == -ENOENT)
		return err_why(e, STEP_IMAGE, digest, ENOENT, "the blob is not in the store");
	depot_hold(d, TRY(fd));
	return 0;
}

/* ---- layers ---------------------------------------------------------------------------------------------------------- */

/* A layer that holds copies of files below it belongs to those below: its key is made of all their DiffIDs. */
static void chain_key(const struct commit *c, size_t nth, char ret[static LAYER_KEY_MAX])
{
	AUTO(hash_free) struct hash *h = hash_new(DIGEST_SHA256);
	char digest[DIGEST_TEXT_MAX];

	for (size_t i = 0; i <= nth; i++)
		hash_add(h, c->config.diff_ids[i], strlen(c->config.diff_ids[i]) + 1);
	hash_end(h, digest);
	(void)snprintf(ret, LAYER_KEY_MAX, "chain-%s", digest_hex(digest));
}

static const char *const *paths_below(const struct commit *c, size_t nth)
{
	const char **list = arena_new_n(c->arena, const char *, nth + 1);

	for (size_t i = 0; i < nth; i++)
		list[i] = arena_printf(c->arena, "%s/layers/%s", c->depot->root, c->keys[nth - 1 - i]);
	return list;
}

static int unpack_over(struct commit *c, size_t nth, const char *const *lowers, const char *key, struct nook_error *e)
{
	const char *digest = c->manifest.layers[nth].digest, *diff_id = c->config.diff_ids[nth];
	auto_close int blob = TRY(blob_open(c->depot, digest, NULL, e));
	AUTO(unpacker_free) struct unpacker *u = NULL;
	struct layer_facts facts = {0};

	TRY(unpacker_start(c->depot, &(struct unpacker_want){.blob = blob, .lowers = lowers, .what = digest,
		.algorithm = digest_algorithm(diff_id)}, &u, e));
	if (TRY(unpacker_finish(u, &facts, e)) == 1)
		return 1;
	if (!text_is(facts.diff_id, diff_id))
		return err_fmt(e, STEP_IMAGE, digest, EBADMSG, "unpacks to %s, and not to the DiffID %s that the config promises",
			facts.diff_id, diff_id);
	return layer_publish(c->depot, unpacker_dir(u), key, &facts, e);
}

/* Finds layer NTH unpacked, or unpacks it; holds it. */
static int settle_layer(struct commit *c, size_t nth, struct nook_error *e)
{
	char own[LAYER_KEY_MAX], chain[LAYER_KEY_MAX];
	const char *key = own;
	int fd;

	layer_key(c->config.diff_ids[nth], own);
	chain_key(c, nth, chain);
	for (;;) {
		fd = layer_open(c->depot, own, e);
		if (fd == -ENOENT) {
			fd = layer_open(c->depot, chain, e);
			key = chain;
		}
		if (fd != -ENOENT)
			break;
		key = own;
		if (TRY(unpack_over(c, nth, NULL, own, e)) == 0)
			continue;
		/* What is missing was said. */
		if (nth == 0)
			return -ENOENT;
		TRY(unpack_over(c, nth, paths_below(c, nth), chain, e));
	}
	depot_hold(c->depot, TRY(fd));
	c->keys[nth] = arena_strdup(c->arena, key);
	return 0;
}

static int add_bytes(struct commit *c, struct nook_error *e)
{
	struct db *db = NULL;

	TRY(depot_db(c->depot, &db, e));
	for (size_t i = 0; i < c->manifest.n_layers; i++) {
		AUTO(query_free) struct query *q = NULL;

		TRY(db_query(db, &q, e, "SELECT bytes FROM layer WHERE key = ?", "s", c->keys[i]));
		c->bytes += TRY(query_next(q, e)) ? (uint64_t)query_int(q, 0) : 0;
	}
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static int load_documents(struct commit *c, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0}, config = {0};
	struct image_document document;

	TRY(hold_blob(c->depot, c->manifest_digest, &c->blob_bytes, e));
	TRY(blob_read(c->depot, c->manifest_digest, MANIFEST_BYTES_MAX, &text, e));
	TRY(image_document_parse(buf_text(&text), text.len, NULL, c->manifest_digest, c->arena, &document, e));
	if (document.is_index)
		return err_why(e, STEP_IMAGE, c->manifest_digest, EINVAL, "is an index where a manifest was expected");
	c->manifest = document.manifest;
	TRY(manifest_check_image(&c->manifest, c->manifest_digest, e));
	TRY(hold_blob(c->depot, c->manifest.config.digest, NULL, e));
	TRY(blob_read(c->depot, c->manifest.config.digest, CONFIG_BYTES_MAX, &config, e));
	c->blob_bytes += config.len;
	return image_config_parse(buf_text(&config), config.len, c->manifest.n_layers, c->manifest_digest, c->arena, &c->config, e);
}

/* The names of new files and directories reach the disk before the database tells of them. */
static int sync_folders(struct depot *d, struct nook_error *e)
{
	static const char *const names[] = {"blobs/sha256", "blobs/sha512", "layers"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_close int fd = openat(d->fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			return err_sys(e, STEP_IMAGE, names[i]);
	}
	return 0;
}

static int record(struct commit *c, const char *name, const char *target, struct nook_error *e)
{
	AUTO(db_rollback) struct db *db = NULL;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	TRY(depot_db(c->depot, &db, e));
	TRY(db_begin(db, e));
	TRY(db_run(db, e, "INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?, ?, ?)", "sssiiii", c->manifest_digest,
		c->manifest.config.digest, platform_text(&c->config.platform, c->arena), image_time(c->config.created),
		(int64_t)now.tv_sec * 1000000000 + now.tv_nsec, (int64_t)c->bytes, (int64_t)c->blob_bytes));
	TRY(db_run(db, e, "DELETE FROM part WHERE digest = ?", "s", c->manifest_digest));
	for (size_t i = 0; i < c->manifest.n_layers; i++)
		TRY(db_run(db, e, "INSERT INTO part VALUES (?, ?, ?, ?)", "siss", c->manifest_digest, (int64_t)i, c->keys[i],
			c->manifest.layers[i].digest));
	if (name)
		TRY(db_run(db, e, "INSERT OR REPLACE INTO name VALUES (?, ?, ?)", "sss", name, c->manifest_digest,
			target ? target : c->manifest_digest));
	return db_commit(db, e);
}

int image_commit(struct depot *d, const char *name, const char *manifest, const char *target, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct commit c = {.depot = d, .arena = a, .manifest_digest = manifest};

	if (target)
		TRY(hold_blob(d, target, NULL, e));
	TRY(load_documents(&c, e));
	c.keys = arena_new_n(a, const char *, c.manifest.n_layers + 1);
	for (size_t i = 0; i < c.manifest.n_layers; i++) {
		uint64_t size = 0;

		TRY(hold_blob(d, c.manifest.layers[i].digest, &size, e));
		if (size != c.manifest.layers[i].size)
			return err_fmt(e, STEP_IMAGE, c.manifest.layers[i].digest, EBADMSG, "has %llu bytes, and not the %llu that are promised",
				(unsigned long long)size, (unsigned long long)c.manifest.layers[i].size);
		c.blob_bytes += size;
		TRY(settle_layer(&c, i, e));
	}
	TRY(add_bytes(&c, e));
	TRY(sync_folders(d, e));
	return record(&c, name, target, e);
}
