/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libarchive reads, nook writes.  The process stays in the "C" locale on purpose: names then pass through libarchive as
 * the bytes they are, whatever their encoding; that they "cannot be converted" is the warning that is passed over below.
 */
#include "unpack/archive.h"

#include "base/alloc.h"
#include "archive/inflate.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { READ_BLOCK = 256 << 10, XATTRS_MAX = 256 };

static void reader_free(struct archive *a)
{
	if (a)
		(void)archive_read_free(a);
}
CLEANUP_DEFINE(struct archive *, reader_free)

static int reader_failed(struct archive *a, const char *object, struct nook_error *e)
{
	const char *words = archive_error_string(a);

	return err_why(e, STEP_UNPACK, object, EINVAL, words ? words : "the archive cannot be read");
}

static struct archive *reader_new(void)
{
	struct archive *a = archive_read_new();

	if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK)
		abort();
	return a;
}

/* Compressions of an archive that libarchive reads itself. */
static void support_filters(struct archive *a)
{
	/* Anything but ARCHIVE_OK would mean that libarchive wants to run a program for it. */
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip,
		archive_read_support_filter_bzip2,
		archive_read_support_filter_zstd,
		archive_read_support_filter_xz,
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (filters[i](a) != ARCHIVE_OK)
			abort();
}

/* 1: to be written, 0: a socket, which means nothing without its process. */
static int type_of(struct archive_entry *from, struct entry *to, struct nook_error *e)
{
	static const struct {
		mode_t mode;
		enum entry_type type;
	} types[] = {
		{S_IFREG, ENTRY_FILE}, {S_IFDIR, ENTRY_DIR},   {S_IFLNK, ENTRY_SYMLINK},
		{S_IFCHR, ENTRY_CHAR}, {S_IFBLK, ENTRY_BLOCK}, {S_IFIFO, ENTRY_FIFO},
	};
	const mode_t mode = archive_entry_filetype(from);

	to->link = archive_entry_hardlink(from);
	if (to->link) {
		to->type = ENTRY_HARDLINK;
		return 1;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].mode == mode) {
			to->type = types[i].type;
			to->link = archive_entry_symlink(from);
			if (to->type == ENTRY_SYMLINK && !to->link)
				break;
			return 1;
		}
	if (mode == S_IFSOCK)
		return 0;
	return err_why(e, STEP_UNPACK, to->name, EINVAL, "is of no type that can be written");
}

static int collect_xattrs(struct archive_entry *from, struct entry *to, struct entry_xattr room[static XATTRS_MAX],
	struct nook_error *e)
{
	(void)archive_entry_xattr_reset(from);
	to->xattrs = room;
	for (to->n_xattrs = 0;; to->n_xattrs++) {
		struct entry_xattr x;

		if (archive_entry_xattr_next(from, &x.name, &x.value, &x.size) != ARCHIVE_OK)
			return 0;
		if (to->n_xattrs == XATTRS_MAX)
			return err_why(e, STEP_UNPACK, to->name, E2BIG, "has too many extended attributes");
		room[to->n_xattrs] = x;
	}
}

static int copy_data(struct archive *a, struct writer *w, const struct entry *entry, struct nook_error *e)
{
	for (;;) {
		const void *data;
		size_t size;
		la_int64_t offset;
		int r = archive_read_data_block(a, &data, &size, &offset);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return reader_failed(a, entry->name, e);
		TRY(writer_data(w, offset, data, size, e));
	}
}

/* libarchive takes the fraction of "-1.25" as one that counts upwards; POSIX and GNU tar mean a decimal number. */
static struct timespec time_of(time_t seconds, long nanoseconds)
{
	if (seconds < 0 && nanoseconds > 0 && nanoseconds < 1000000000)
		return (struct timespec){seconds - 1, 1000000000 - nanoseconds};
	return (struct timespec){seconds, nanoseconds};
}

static int unpack_entry(struct archive *a, struct archive_entry *from, struct writer *w, struct nook_error *e)
{
	struct entry_xattr xattrs[XATTRS_MAX];
	struct entry entry = {
		.name = archive_entry_pathname(from),
		.mode = archive_entry_perm(from) & 07777,
		.uid = archive_entry_uid(from),
		.gid = archive_entry_gid(from),
		.size = archive_entry_size(from),
		.mtime = time_of(archive_entry_mtime(from), archive_entry_mtime_nsec(from)),
	};

	if (!entry.name || !*entry.name)
		return err_why(e, STEP_UNPACK, "entry", EINVAL, "has no name");
	entry.atime = entry.mtime;
	if (archive_entry_atime_is_set(from))
		entry.atime = time_of(archive_entry_atime(from), archive_entry_atime_nsec(from));
	if (!TRY(type_of(from, &entry, e)))
		return 0;
	if (entry.type == ENTRY_CHAR || entry.type == ENTRY_BLOCK) {
		entry.major = (int64_t)archive_entry_rdevmajor(from);
		entry.minor = (int64_t)archive_entry_rdevminor(from);
	}
	TRY(collect_xattrs(from, &entry, xattrs, e));
	if (!TRY(writer_add(w, &entry, e)))
		return 0;
	TRY(copy_data(a, w, &entry, e));
	return writer_end(w, e);
}

static int unpack_entries(struct archive *a, struct writer *w, struct nook_error *e)
{
	char last[NOOK_OBJECT_MAX] = "archive";

	for (;;) {
		struct archive_entry *from = NULL;
		int r = archive_read_next_header(a, &from);

		if (r == ARCHIVE_EOF)
			return writer_finish(w, e);
		if (r < ARCHIVE_WARN)
			return reader_failed(a, last, e);
		TRY(unpack_entry(a, from, w, e));
		if (archive_entry_pathname(from))
			(void)strncpy(last, archive_entry_pathname(from), sizeof(last) - 1);
	}
}

int archive_unpack(int input, struct writer *w, struct nook_error *e)
{
	AUTO(reader_free) struct archive *a = reader_new();

	support_filters(a);
	if (archive_read_open_fd(a, input, READ_BLOCK) < ARCHIVE_WARN)
		return reader_failed(a, "archive", e);
	return unpack_entries(a, w, e);
}

/* ---- layers ---------------------------------------------------------------------------------------------------------- */

struct layer_source {
	struct inflate *input;
	struct nook_error *error;
	bool failed; /* ERROR says why, better than libarchive can */
};

static la_ssize_t read_layer(struct archive *a, void *data, const void **ret)
{
	struct layer_source *s = data;
	ssize_t n = inflate_read(s->input, ret, s->error);

	if (n >= 0)
		return n;
	s->failed = true;
	archive_set_error(a, EINVAL, "the layer cannot be read");
	return ARCHIVE_FATAL;
}

int archive_unpack_layer(struct inflate *input, struct writer *w, struct nook_error *e)
{
	AUTO(reader_free) struct archive *a = reader_new();
	struct nook_error why = NOOK_ERROR_INIT;
	struct layer_source s = {.input = input, .error = &why};
	int r = 0;

	/* A layer without a byte is an empty one. */
	(void)archive_read_support_format_empty(a);
	if (archive_read_open2(a, &s, NULL, read_layer, NULL, NULL) < ARCHIVE_WARN)
		r = reader_failed(a, "layer", e);
	else
		r = unpack_entries(a, w, e);
	if (s.failed) {
		if (e)
			*e = why;
		return -EINVAL;
	}
	return r < 0 ? r : inflate_drain(input, e);
}
