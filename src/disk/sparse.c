/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/sparse.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20, HOLE_MIN = 64 << 10 };

/* By read and write, where copy_file_range(2) is not for these two file systems. */
static int pump(int from, int to, off_t at, off_t end, const char *object, struct nook_error *e)
{
	auto_free char *chunk = xcalloc(1, CHUNK);

	while (at < end) {
		size_t want = end - at > CHUNK ? CHUNK : (size_t)(end - at);
		ssize_t n = pread(from, chunk, want, at);

		if (n == 0)
			return 0;
		if (n > 0)
			n = pwrite(to, chunk, (size_t)n, at);
		if (n < 0)
			return err_sys(e, STEP_DISK, object);
		at += n;
	}
	return 0;
}

static int copy_range(int from, int to, off_t at, off_t end, const char *object, struct nook_error *e)
{
	while (at < end) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return pump(from, to, at, end, object, e);
		if (n < 0)
			return err_sys(e, STEP_DISK, object);
		if (n == 0)
			return 0;
		at += n;
	}
	return 0;
}

int sparse_copy(int from, int to, enum reflink how, const char *object, struct nook_error *e)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_sys(e, STEP_DISK, object);
	if (how != REFLINK_NEVER && ioctl(to, FICLONE, from) == 0)
		return 0;
	if (how == REFLINK_ALWAYS) {
		int r = err_sys(e, STEP_DISK, object);

		err_detail(e, "the file system cannot share blocks");
		return r;
	}
	if (ftruncate(to, st.st_size) < 0)
		return err_sys(e, STEP_DISK, object);
	for (off_t at = 0; at < st.st_size;) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0; /* only a hole is left */
		if (data < 0)
			return err_sys(e, STEP_DISK, object);
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(e, STEP_DISK, object);
		TRY(copy_range(from, to, data, hole, object, e));
		at = hole;
	}
	return 0;
}

static int dig_chunk(int fd, const char *chunk, size_t len, off_t at, const char *object, struct nook_error *e)
{
	static const char zeros[HOLE_MIN];

	for (size_t i = 0; i + HOLE_MIN <= len; i += HOLE_MIN)
		if (memcmp(chunk + i, zeros, HOLE_MIN) == 0 &&
			fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at + (off_t)i, HOLE_MIN) < 0)
			return err_sys(e, STEP_DISK, object);
	return 0;
}

int sparse_dig(int fd, const char *object, struct nook_error *e)
{
	auto_free char *chunk = xcalloc(1, CHUNK);
	off_t at = 0;

	for (;;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		ssize_t n;

		if (data < 0)
			return errno == ENXIO ? 0 : err_sys(e, STEP_DISK, object);
		at = data - data % HOLE_MIN;
		n = pread(fd, chunk, CHUNK, at);
		if (n < 0)
			return err_sys(e, STEP_DISK, object);
		if (n == 0)
			return 0;
		TRY(dig_chunk(fd, chunk, (size_t)n, at, object, e));
		at += n;
	}
}
