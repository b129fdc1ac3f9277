/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/newlayer.h"

#include "archive/deflate.h"
#include "base/fd.h"
#include "image/config.h"
#include "image/digest.h"
#include "storage/blob.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "storage/sink.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { READ_BLOCK = 128 << 10, NAME_ROOM = 48 };

struct newlayer {
	struct depot *depot;  /* NULL: it goes into a file of the caller's */
	enum compression compression;
	char name[NAME_ROOM]; /* of the file in ingest/; "" once it has its own */
	int fd;
	struct hash *plain;
	struct deflate *deflate;
};

struct newlayer *newlayer_in_file(int file, enum compression compression)
{
	struct newlayer *l = xcalloc(1, sizeof(*l));

	l->compression = compression;
	l->plain = hash_new(DIGEST_SHA256);
	l->fd = file;
	l->deflate = deflate_new(compression, file);
	return l;
}

int newlayer_open(struct depot *d, enum compression compression, struct newlayer **ret, struct nook_error *e)
{
	AUTO(newlayer_free) struct newlayer *l = xcalloc(1, sizeof(*l));
	uint64_t number = 0;

	l->depot = d;
	l->compression = compression;
	l->plain = hash_new(DIGEST_SHA256);
	(void)getrandom(&number, sizeof(number), 0);
	(void)snprintf(l->name, sizeof(l->name), "ingest/new-%016llx", (unsigned long long)number);
	l->fd = openat(d->fd, l->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return err_sys(e, STEP_IMAGE, l->name);
	l->deflate = deflate_new(compression, l->fd);
	*ret = take_ptr(&l);
	return 0;
}

int newlayer_add(struct newlayer *l, const void *data, size_t size, struct nook_error *e)
{
	hash_add(l->plain, data, size);
	return deflate_write(l->deflate, data, size, e);
}

int newlayer_read(struct newlayer *l, int fd, struct nook_error *e)
{
	auto_free char *block = xcalloc(1, READ_BLOCK);
	ssize_t n;

	while ((n = fd_read(fd, block, READ_BLOCK)) > 0)
		TRY(newlayer_add(l, block, (size_t)n, e));
	return n < 0 ? err_num(e, STEP_IMAGE, "new layer", (int)n) : 0;
}

/* The file becomes a blob; one of the same content may be there already. */
static int publish(struct newlayer *l, const char *digest, struct nook_error *e)
{
	char path[BLOB_PATH_MAX];

	blob_path(digest, path);
	if (fdatasync(l->fd) < 0 || renameat(l->depot->fd, l->name, l->depot->fd, path) < 0)
		return err_sys(e, STEP_IMAGE, digest);
	l->name[0] = 0;
	return 0;
}

int newlayer_end(struct newlayer *l, struct arena *a, struct descriptor *ret, const char **ret_diff_id, struct nook_error *e)
{
	char plain[DIGEST_TEXT_MAX], packed[DIGEST_TEXT_MAX];
	uint64_t size = 0;

	TRY(deflate_finish(l->deflate, packed, &size, e));
	hash_end(l->plain, plain);
	*ret = (struct descriptor){
		.media_type = media_layer_type(l->compression),
		.digest = arena_strdup(a, packed),
		.size = size,
	};
	*ret_diff_id = arena_strdup(a, plain);
	return 0;
}

int newlayer_finish(struct newlayer *l, struct arena *a, struct descriptor *ret, const char **ret_diff_id, struct nook_error *e)
{
	struct descriptor layer;
	const char *diff_id = NULL;
	struct sink *sink = NULL;

	TRY(newlayer_end(l, a, &layer, &diff_id, e));
	TRY(publish(l, layer.digest, e));
	/* The blob is there: this unpacks it, if need be, and holds both. */
	(void)TRY(sink_open(l->depot, &(struct sink_want){layer.digest, layer.size, diff_id}, &sink, e));
	sink_close(sink);
	*ret = layer;
	*ret_diff_id = diff_id;
	return 0;
}

void newlayer_free(struct newlayer *l)
{
	if (!l)
		return;
	if (l->name[0])
		(void)unlinkat(l->depot->fd, l->name, 0);
	if (l->depot)
		close_fd(&l->fd);
	hash_free(l->plain);
	deflate_free(l->deflate);
	free(l);
}

/* ---- images ---------------------------------------------------------------------------------------------------------- */

static void add_history(const struct newimage *n, const char *now, struct arena *a)
{
	struct image_config *c = n->config;
	struct image_history *list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < c->n_history; i++)
		*arena_push(a, &list, &count) = c->history[i];
	*arena_push(a, &list, &count) = (struct image_history){
		.created = now,
		.created_by = n->created_by,
		.author = n->author,
		.comment = n->comment,
		.empty_layer = !n->layer,
	};
	c->history = list;
	c->n_history = count;
}

static const char *digest_of(const char *text, struct arena *a)
{
	AUTO(hash_free) struct hash *h = hash_new(DIGEST_SHA256);
	char digest[DIGEST_TEXT_MAX];

	hash_add(h, text, strlen(text));
	hash_end(h, digest);
	return arena_strdup(a, digest);
}

void newimage_texts(const struct newimage *n, struct arena *a, struct newimage_texts *ret)
{
	struct image_config *c = n->config;
	const char **diff_ids = NULL;
	struct manifest m = {0};
	struct timespec now;
	size_t n_ids = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	c->created = image_time_text((int64_t)now.tv_sec * 1000000000 + now.tv_nsec, a);
	if (n->author)
		c->author = n->author;
	if (!c->platform.os)
		platform_host(&c->platform);
	for (size_t i = 0; n->old && i < n->old->n_layers; i++) {
		*arena_push(a, &m.layers, &m.n_layers) = n->old->layers[i];
		*arena_push(a, &diff_ids, &n_ids) = c->diff_ids[i];
	}
	if (n->layer) {
		*arena_push(a, &m.layers, &m.n_layers) = *n->layer;
		*arena_push(a, &diff_ids, &n_ids) = n->diff_id;
	}
	c->diff_ids = diff_ids;
	c->n_diff_ids = n_ids;
	add_history(n, c->created, a);
	ret->config = image_config_text(c, a);
	ret->config_digest = digest_of(ret->config, a);
	m.config = (struct descriptor){.media_type = media_oci_config, .digest = ret->config_digest, .size = strlen(ret->config)};
	ret->manifest = manifest_text(&m, a);
	ret->manifest_digest = digest_of(ret->manifest, a);
}

int newimage_commit(struct depot *d, const struct newimage *n, struct arena *a, const char **ret_id, struct nook_error *e)
{
	struct newimage_texts t;

	newimage_texts(n, a, &t);
	TRY(blob_add(d, t.config, strlen(t.config), t.config_digest, a, NULL, e));
	TRY(blob_add(d, t.manifest, strlen(t.manifest), t.manifest_digest, a, NULL, e));
	TRY(image_commit(d, n->name, t.manifest_digest, NULL, e));
	*ret_id = t.config_digest;
	return 0;
}
