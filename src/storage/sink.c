/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/sink.h"

#include "storage/blob.h"
#include "storage/hash.h"
#include "storage/layer.h"
#include "storage/unpacker.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { REHASH_BLOCK = 128 << 10 };

struct sink {
	struct depot *depot;
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX]; /* diff_id: "" for none */
	char path[BLOB_PATH_MAX];                               /* the partial file, below the depot */
	uint64_t size, offset;
	int fd;                                                 /* locked */
	struct hash *hash;
	struct unpacker *unpacker; /* or NULL */
};

static void partial_path(const char *digest, char ret[static BLOB_PATH_MAX])
{
	(void)snprintf(ret, BLOB_PATH_MAX, "ingest/%s-%s", digest_names[digest_algorithm(digest)], digest_hex(digest));
}

/* ---- what is there already ------------------------------------------------------------------------------------------- */

/* Judges a layer that was unpacked, and gives it its name.  1: it needs the layers below, later. */
static int settle_layer(struct depot *d, struct unpacker *u, const char *diff_id, const char *digest, struct nook_error *e)
{
	struct layer_facts facts = {0};
	char key[LAYER_KEY_MAX];

	if (TRY(unpacker_finish(u, &facts, e)) == 1)
		return 1;
	if (strcmp(facts.diff_id, diff_id) != 0)
		return err_fmt(e, STEP_IMAGE, digest, EBADMSG, "unpacks to %s, and not to the DiffID %s that the config promises",
			facts.diff_id, diff_id);
	layer_key(diff_id, key);
	return layer_publish(d, unpacker_dir(u), key, &facts, e);
}

static int hold_layer(struct depot *d, const char *diff_id, struct nook_error *e)
{
	char key[LAYER_KEY_MAX];
	int fd;

	layer_key(diff_id, key);
	fd = layer_open(d, key, e);
	if (fd == -ENOENT)
		return 0;
	depot_hold(d, TRY(fd));
	return 1;
}

static int unpack_present(struct depot *d, int blob, const struct sink_want *want, struct nook_error *e)
{
	AUTO(unpacker_free) struct unpacker *u = NULL;

	TRY(unpacker_start(d, &(struct unpacker_want){.blob = blob, .what = want->digest, .algorithm = digest_algorithm(want->diff_id)}, &u, e));
	if (TRY(settle_layer(d, u, want->diff_id, want->digest, e)) == 1)
		return 0;
	return TRY(hold_layer(d, want->diff_id, e)) ? 0 : err_why(e, STEP_IMAGE, want->digest, ENOENT, "the layer was removed meanwhile");
}

/* 1: blob (and layer) are there and held. */
static int find_present(struct depot *d, const struct sink_want *want, struct nook_error *e)
{
	uint64_t size = 0;
	int fd = blob_open(d, want->digest, &size, e);

	if (fd == -ENOENT)
		return 0;
	depot_hold(d, TRY(fd));
	if (want->size != SINK_SIZE_UNKNOWN && size != want->size)
		return err_fmt(e, STEP_IMAGE, want->digest, EBADMSG, "has %llu bytes, and not the %llu that are promised",
			(unsigned long long)size, (unsigned long long)want->size);
	if (want->diff_id && !TRY(hold_layer(d, want->diff_id, e)))
		TRY(unpack_present(d, fd, want, e));
	return 1;
}

/* ---- the partial file ------------------------------------------------------------------------------------------------ */

/* 0, or SINK_BUSY; then S has no descriptor. */
static int open_partial(struct sink *s, int operation, struct nook_error *e)
{
	for (;;) {
		auto_close int fd = openat(s->depot->fd, s->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat st;

		if (fd < 0)
			return err_sys(e, STEP_IMAGE, s->digest);
		while (flock(fd, operation) < 0) {
			if (errno == EWOULDBLOCK)
				return SINK_BUSY;
			if (errno != EINTR)
				return err_sys(e, STEP_LOCK, s->digest);
		}
		if (fstat(fd, &st) < 0)
			return err_sys(e, STEP_IMAGE, s->digest);
		if (st.st_nlink == 0)
			continue; /* finished or swept before it was locked */
		s->fd = take_fd(&fd);
		s->offset = (uint64_t)st.st_size;
		return 0;
	}
}

/* What an earlier attempt got counts only for what it hashes to. */
static int rehash(struct sink *s, struct nook_error *e)
{
	auto_free char *block = xcalloc(1, REHASH_BLOCK);
	uint64_t at = 0;

	while (at < s->offset) {
		ssize_t n = pread(s->fd, block, REHASH_BLOCK, (off_t)at);

		if (n <= 0)
			return n < 0 ? err_sys(e, STEP_IMAGE, s->digest) : err_num(e, STEP_IMAGE, s->digest, EIO);
		hash_add(s->hash, block, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static int start_unpacker(struct sink *s, struct nook_error *e)
{
	char key[LAYER_KEY_MAX];

	if (!s->diff_id[0])
		return 0;
	layer_key(s->diff_id, key);
	if (layer_exists(s->depot, key))
		return 0;
	return unpacker_start(s->depot, &(struct unpacker_want){.blob = s->fd, .grows = true, .what = s->digest, .algorithm = digest_algorithm(s->diff_id)}, &s->unpacker, e);
}

int sink_restart(struct sink *s, struct nook_error *e)
{
	unpacker_free(take_ptr(&s->unpacker));
	if (ftruncate(s->fd, 0) < 0)
		return err_sys(e, STEP_IMAGE, s->digest);
	s->offset = 0;
	hash_restart(s->hash);
	return start_unpacker(s, e);
}

/* ---- public ---------------------------------------------------------------------------------------------------------- */

static struct sink *sink_new(struct depot *d, const struct sink_want *want)
{
	struct sink *s = xcalloc(1, sizeof(*s));

	s->depot = d;
	(void)snprintf(s->digest, sizeof(s->digest), "%s", want->digest);
	(void)snprintf(s->diff_id, sizeof(s->diff_id), "%s", want->diff_id ? want->diff_id : "");
	partial_path(want->digest, s->path);
	s->size = want->size;
	s->fd = -EBADF;
	return s;
}

int sink_open(struct depot *d, const struct sink_want *want, struct sink **ret, struct nook_error *e)
{
	AUTO(sink_close) struct sink *s = NULL;

	if (TRY(find_present(d, want, e)))
		return SINK_PRESENT;
	s = sink_new(d, want);
	if (TRY(open_partial(s, LOCK_EX | LOCK_NB, e)) == SINK_BUSY)
		return SINK_BUSY;
	/* Whoever had the lock before may have finished it. */
	if (TRY(find_present(d, want, e))) {
		(void)unlinkat(d->fd, s->path, 0);
		return SINK_PRESENT;
	}
	s->hash = hash_new(digest_algorithm(s->digest));
	if (s->size != SINK_SIZE_UNKNOWN && s->offset > s->size && ftruncate(s->fd, 0) < 0)
		return err_sys(e, STEP_IMAGE, s->digest);
	if (s->size != SINK_SIZE_UNKNOWN && s->offset > s->size)
		s->offset = 0;
	TRY(rehash(s, e));
	TRY(start_unpacker(s, e));
	*ret = take_ptr(&s);
	return SINK_OPEN;
}

int sink_wait(struct depot *d, const char *digest, struct nook_error *e)
{
	AUTO(sink_close) struct sink *s = sink_new(d, &(struct sink_want){.digest = digest});

	/* Shared: whoever finishes it keeps a shared lock on the blob that the file becomes. */
	return open_partial(s, LOCK_SH, e);
}

uint64_t sink_offset(const struct sink *s)
{
	return s->offset;
}

int sink_write(struct sink *s, const void *data, size_t size, struct nook_error *e)
{
	const uint64_t most = s->size == SINK_SIZE_UNKNOWN ? SINK_BYTES_MAX : s->size;

	if (size > most || s->offset > most - size)
		return err_fmt(e, STEP_IMAGE, s->digest, EFBIG, "there is more of it than the %llu bytes that were promised",
			(unsigned long long)most);
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(s->fd, (const char *)data + done, size - done, (off_t)(s->offset + done));

		if (n < 0 && errno != EINTR)
			return err_sys(e, STEP_IMAGE, s->digest);
		done += n < 0 ? 0 : (size_t)n;
	}
	hash_add(s->hash, data, size);
	s->offset += size;
	/* An unpacker that ended says why in sink_finish(), after the digest was judged: bytes that were garbled on their way
	 * are no fault of the layer's, and must not stay. */
	if (s->unpacker)
		(void)unpacker_grown(s->unpacker);
	return 0;
}

static int judge(struct sink *s, struct nook_error *e)
{
	char digest[DIGEST_TEXT_MAX];

	if (s->size != SINK_SIZE_UNKNOWN && s->offset < s->size)
		return err_fmt(e, STEP_IMAGE, s->digest, EAGAIN, "only %llu of its %llu bytes came", (unsigned long long)s->offset,
			(unsigned long long)s->size);
	hash_end(s->hash, digest);
	if (strcmp(digest, s->digest) == 0)
		return 0;
	/* Nothing can be made of it. */
	(void)unlinkat(s->depot->fd, s->path, 0);
	return err_fmt(e, STEP_IMAGE, s->digest, EBADMSG, "its content is %s", digest);
}

static int publish(struct sink *s, struct nook_error *e)
{
	char path[BLOB_PATH_MAX];
	int held;

	blob_path(s->digest, path);
	if (fdatasync(s->fd) < 0 || renameat(s->depot->fd, s->path, s->depot->fd, path) < 0)
		return err_sys(e, STEP_IMAGE, s->digest);
	/* The lock stays, but as one that others may share. */
	held = take_fd(&s->fd);
	(void)flock(held, LOCK_SH);
	depot_hold(s->depot, held);
	return 0;
}

int sink_finish(struct sink *s, struct nook_error *e)
{
	int r;

	TRY(judge(s, e));
	if (s->unpacker) {
		r = settle_layer(s->depot, s->unpacker, s->diff_id, s->digest, e);
		/* A layer that is refused will be refused again: its bytes are of no use. */
		if (r < 0 && r != -ENOSPC)
			(void)unlinkat(s->depot->fd, s->path, 0);
		TRY(r);
	}
	TRY(publish(s, e));
	if (s->diff_id[0])
		TRY(hold_layer(s->depot, s->diff_id, e));
	return 0;
}

void sink_close(struct sink *s)
{
	if (!s)
		return;
	unpacker_free(s->unpacker);
	hash_free(s->hash);
	if (s->fd >= 0 && s->offset == 0)
		(void)unlinkat(s->depot->fd, s->path, 0);
	close_fd(&s->fd);
	free(s);
}

int blob_add(struct depot *d, const void *data, size_t size, const char *digest, struct arena *a, const char **ret_digest,
	struct nook_error *e)
{
	AUTO(sink_close) struct sink *s = NULL;
	char text[DIGEST_TEXT_MAX];
	int r;

	if (!digest) {
		AUTO(hash_free) struct hash *h = hash_new(DIGEST_SHA256);

		hash_add(h, data, size);
		hash_end(h, text);
		digest = text;
	}
	if (ret_digest)
		*ret_digest = arena_strdup(a, digest);
	while ((r = TRY(sink_open(d, &(struct sink_want){.digest = digest, .size = size}, &s, e))) == SINK_BUSY)
		TRY(sink_wait(d, digest, e));
	if (r == SINK_PRESENT)
		return 0;
	if (sink_offset(s))
		TRY(sink_restart(s, e));
	TRY(sink_write(s, data, size, e));
	return sink_finish(s, e);
}
