/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/archive_out.h"

#include "base/fd.h"
#include "stream/header.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BLOCK = 256 << 10 };

static int put_header(struct archive_out *o, const char *name, mode_t mode, uint64_t size, struct nook_error *e)
{
	auto_free struct entry *entry = xcalloc(1, sizeof(*entry));

	entry->mode = mode;
	entry->size = size;
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry_write(o->stream, entry, e);
}

static int copy(int from, int to, uint64_t size, const char *name, struct nook_error *e)
{
	auto_free char *block = xcalloc(1, COPY_BLOCK);

	for (uint64_t done = 0; done < size;) {
		const size_t want = size - done < COPY_BLOCK ? (size_t)(size - done) : COPY_BLOCK;
		ssize_t n = pread(from, block, want, (off_t)done);
		int r = n > 0 ? fd_write(to, block, (size_t)n) : n < 0 ? -errno : -EIO;

		if (r < 0)
			return err_num(e, STEP_IMAGE, name, r);
		done += (uint64_t)n;
	}
	return 0;
}

int archive_out_folder(struct archive_out *o, const char *name, struct nook_error *e)
{
	if (o->dir < 0)
		return put_header(o, arena_printf(o->arena, "%s/", name), S_IFDIR | 0755, 0, e);
	if (mkdirat(o->dir, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, STEP_FILE, name);
	return 0;
}

int archive_out_text(struct archive_out *o, const char *name, const char *text, struct nook_error *e)
{
	const size_t size = strlen(text);
	int r;

	if (o->dir >= 0)
		return file_replace(o->dir, name, text, size, 0644, FILE_NO_SYNC, e);
	TRY(put_header(o, name, S_IFREG | 0644, size, e));
	r = fd_write(o->stream, text, size);
	return r < 0 ? err_num(e, STEP_FILE, name, r) : entry_write_padding(o->stream, size, e);
}

int archive_out_file(struct archive_out *o, const char *name, int fd, uint64_t size, struct nook_error *e)
{
	struct stat st;

	if (o->dir < 0) {
		TRY(put_header(o, name, S_IFREG | 0644, size, e));
		TRY(copy(fd, o->stream, size, name, e));
		return entry_write_padding(o->stream, size, e);
	}
	if (fstatat(o->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == size)
		return 0;
	const char *part = arena_printf(o->arena, "%s.part", name);
	auto_close int to = openat(o->dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (to < 0)
		return err_sys(e, STEP_FILE, part);
	TRY(copy(fd, to, size, name, e));
	return renameat(o->dir, part, o->dir, name) < 0 ? err_sys(e, STEP_FILE, name) : 0;
}

int archive_out_end(struct archive_out *o, struct nook_error *e)
{
	return o->dir >= 0 ? 0 : entry_write_end(o->stream, e);
}
