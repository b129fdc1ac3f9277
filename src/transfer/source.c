/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/source.h"

#include "base/fd.h"
#include "base/text.h"
#include "image/digest.h"
#include "archive/inflate.h"
#include "storage/hash.h"

#include <stdio.h>
#include <sys/stat.h>

#define MANIFEST "manifest.json"

void source_done(struct source *s)
{
	close_fd(&s->dir);
	close_fd(&s->file);
}

void piece_done(struct piece *p)
{
	if (p->own)
		close_fd(&p->fd);
}

/* ---- pieces ---------------------------------------------------------------------------------------------------------- */

int source_piece(const struct source *s, const char *name, struct piece *ret, struct nook_error *e)
{
	const struct tarindex_entry *entry;
	struct stat st;

	if (s->dir >= 0) {
		auto_close int fd = openat(s->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) < 0)
			return errno == ENOENT ? -ENOENT : err_sys(e, STEP_IMAGE, name);
		if (!S_ISREG(st.st_mode))
			return err_why(e, STEP_IMAGE, name, EINVAL, "is no regular file");
		*ret = (struct piece){.fd = take_fd(&fd), .own = true, .size = (uint64_t)st.st_size};
		return 0;
	}
	entry = tarindex_find(&s->tar, name);
	if (!entry)
		return -ENOENT;
	*ret = (struct piece){.fd = s->file, .at = entry->at, .size = entry->size};
	return 0;
}

int source_blob(const struct source *s, const char *digest, struct piece *ret, struct nook_error *e)
{
	const char *hex = digest_hex(digest);
	const char *name = arena_printf(s->arena, "blobs/%s/%s", digest_names[digest_algorithm(digest)], hex);
	int r;

	if (s->flat && text_is(s->flat, digest))
		name = MANIFEST;
	else if (s->flat)
		name = hex;
	r = source_piece(s, name, ret, e);
	/* A manifest that an index leads to. */
	if (r == -ENOENT && s->flat)
		r = source_piece(s, arena_printf(s->arena, "%s." MANIFEST, hex), ret, e);

	return r == -ENOENT ? err_fmt(e, STEP_IMAGE, digest, ENOENT, "%s does not hold this blob", s->what) : r;
}

int piece_text(const struct piece *p, size_t limit, const char *what, struct arena *a, const char **ret, struct nook_error *e)
{
	char *text;

	if (p->size > limit)
		return err_fmt(e, STEP_IMAGE, what, EFBIG, "%llu bytes, but at most %zu are read", (unsigned long long)p->size, limit);
	text = arena_alloc(a, p->size + 1);
	for (size_t done = 0; done < p->size;) {
		ssize_t n = pread(p->fd, text + done, p->size - done, (off_t)(p->at + done));

		if (n <= 0)
			return n < 0 ? err_sys(e, STEP_IMAGE, what) : err_num(e, STEP_IMAGE, what, EIO);
		done += (size_t)n;
	}
	*ret = text;
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

/* A stream, or what is compressed, into a file that has no name. */
static int spool(struct depot *d, int from, const char *what, struct nook_error *e)
{
	auto_close int raw = openat(d->fd, "ingest", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_close int plain = openat(d->fd, "ingest", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_free char *block = xcalloc(1, 1 << 17);
	const void *data;
	ssize_t n;
	int r = 0;

	if (raw < 0 || plain < 0)
		return err_sys(e, STEP_IMAGE, what);
	while ((n = fd_read(from, block, 1 << 17)) > 0 && r == 0)
		r = fd_write(raw, block, (size_t)n);
	if (n < 0 || r < 0)
		return err_num(e, STEP_IMAGE, what, n < 0 ? (int)n : r);
	AUTO(inflate_free) struct inflate *f = inflate_new(raw, -1, DIGEST_SHA256);

	while ((n = inflate_read(f, &data, e)) > 0)
		if ((r = fd_write(plain, data, (size_t)n)) < 0)
			return err_num(e, STEP_IMAGE, what, r);
	return n < 0 ? (int)n : take_fd(&plain);
}

static bool is_compressed(int fd)
{
	unsigned char magic[4] = {0};

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
		((magic[0] == 0x1f && magic[1] == 0x8b) || memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0);
}

static int open_archive(struct depot *d, const char *path, struct source *s, struct nook_error *e)
{
	const bool is_stdin = !path || text_is(path, "-");
	auto_close int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_SOURCE, s->what);
	if (S_ISDIR(st.st_mode))
		return err_why(e, STEP_SOURCE, s->what, EISDIR, "is a directory; oci:DIR reads an OCI layout");
	if (S_ISREG(st.st_mode) && !is_compressed(fd))
		s->file = take_fd(&fd);
	else
		s->file = TRY(spool(d, fd, s->what, e));
	return tarindex_read(s->file, s->what, s->arena, &s->tar, e);
}

/* "FILE:TAG": the last colon, unless a file of the whole name is there. */
static const char *cut_tag(const char *text, struct arena *a, const char **ret_tag)
{
	const char *colon = strrchr(text, ':');

	/* A tag may itself be a name with a colon in it: docker-archive:x.tar:debian:12. */
	for (const char *c = strchr(text, ':'); c; c = strchr(c + 1, ':')) {
		const char *path = arena_strndup(a, text, (size_t)(c - text));

		if (access(path, F_OK) == 0) {
			*ret_tag = c + 1;
			return path;
		}
	}
	if (access(text, F_OK) == 0 || !colon)
		return text;
	*ret_tag = colon + 1;
	return arena_strndup(a, text, (size_t)(colon - text));
}

const char *source_path(const char *text, struct arena *a)
{
	static const char *const tagged[] = {"oci:", "oci-archive:", "docker-archive:"};
	const char *tag, *path = text ? text_after(text, "dir:") : NULL;

	if (path)
		return path;
	for (size_t i = 0; text && i < sizeof(tagged) / sizeof(tagged[0]); i++)
		if ((path = text_after(text, tagged[i])))
			return cut_tag(path, a, &tag);
	return text && !text_is(text, "-") ? text : NULL;
}

/* Its manifest is the only one without a digest in its name. */
static int open_flat(struct source *s, const char *path, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	AUTO(hash_free) struct hash *h = NULL;
	char digest[DIGEST_TEXT_MAX];
	const char *text;
	int r = source_piece(s, MANIFEST, &p, e);

	if (r == -ENOENT)
		return err_why(e, STEP_SOURCE, path, EINVAL, "holds no manifest.json, as skopeo copies an image to dir:");
	TRY(r);
	TRY(piece_text(&p, MANIFEST_BYTES_MAX, MANIFEST, s->arena, &text, e));
	h = hash_new(DIGEST_SHA256);
	hash_add(h, text, p.size);
	hash_end(h, digest);
	s->flat = arena_strdup(s->arena, digest);
	return 0;
}

int source_open(struct depot *d, const char *text, struct arena *a, struct source *ret, struct nook_error *e)
{
	AUTO_VALUE(source_done) struct source s = SOURCE_INIT;
	const char *oci = text ? text_after(text, "oci:") : NULL, *flat = text ? text_after(text, "dir:") : NULL, *archive = NULL, *path = text;
	struct piece probe;
	int r;

	s.what = text ? text : "stdin";
	s.arena = a;
	if (oci) {
		path = cut_tag(oci, a, &s.tag);
		s.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s.dir < 0)
			return err_sys(e, STEP_SOURCE, path);
	} else if (flat) {
		s.dir = open(flat, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s.dir < 0)
			return err_sys(e, STEP_SOURCE, flat);
		TRY(open_flat(&s, flat, e));
		*ret = s;
		s = (struct source)SOURCE_INIT;
		return 0;
	} else {
		if (text && (archive = text_after(text, "oci-archive:")) == NULL)
			archive = text_after(text, "docker-archive:");
		if (archive)
			path = cut_tag(archive, a, &s.tag);
		TRY(open_archive(d, path, &s, e));
	}
	r = source_piece(&s, "index.json", &probe, e);
	if (r == -ENOENT && !oci)
		r = source_piece(&s, "manifest.json", &probe, e);
	else if (r == 0)
		s.is_layout = true;
	if (r == -ENOENT)
		return err_why(e, STEP_SOURCE, s.what, EINVAL, oci ? "holds no index.json, so it is no OCI layout"
			: "holds neither index.json nor manifest.json: it is no archive of images (nook import takes a plain root)");
	TRY(r);
	piece_done(&probe);
	*ret = s;
	s = (struct source)SOURCE_INIT;
	return 0;
}
