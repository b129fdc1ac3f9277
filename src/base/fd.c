/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"

#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

ssize_t fd_read(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t fd_read_once(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int fd_write(int fd, const void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_real_path(int fd, char *path, size_t size)
{
	char link[32];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size);
	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	path[n] = 0;
	return 0;
}

enum file_end { END_IS_EMPTY, END_IS_SHORT };

static int read_to_end(int dir, const char *name, size_t limit, enum file_end end, struct buf *b, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t total = 0;
	char chunk[16384];

	if (fd < 0)
		return err_sys(e, STEP_FILE, name);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, STEP_FILE, name);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > limit)
			return err_num(e, STEP_FILE, name, EFBIG);
		buf_add(b, chunk, (size_t)n);
		if (end == END_IS_SHORT && (size_t)n < sizeof(chunk))
			return 0;
	}
}

int file_read(int dir, const char *name, size_t limit, struct buf *b, struct nook_error *e)
{
	return read_to_end(dir, name, limit, END_IS_EMPTY, b, e);
}

int file_read_piece(int dir, const char *name, size_t limit, struct buf *b, struct nook_error *e)
{
	return read_to_end(dir, name, limit, END_IS_SHORT, b, e);
}

int file_write(int dir, const char *name, const char *text, enum step_id step, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, step, name);
	return 0;
}

int file_replace(int dir, const char *name, const void *data, size_t size, mode_t mode, enum file_sync sync,
                 struct nook_error *e)
{
	char temp[NAME_MAX + 1];
	int r;

	/* The pid keeps two writers apart; a left-over of a killed one is overwritten by the next with its pid. */
	if (sync == FILE_NEW)
		r = snprintf(temp, sizeof(temp), "%s", name);
	else
		r = snprintf(temp, sizeof(temp), ".%s.%d", name, sync == FILE_LOCKED ? 0 : (int)getpid());
	if (r >= (int)sizeof(temp))
		return err_num(e, STEP_FILE, name, ENAMETOOLONG);
	auto_close int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (sync == FILE_NEW ? O_EXCL : O_TRUNC), mode);

	if (fd < 0)
		return err_sys(e, STEP_FILE, name);
	r = fd_write(fd, data, size);
	if (!r && sync == FILE_SYNC && fsync(fd) < 0)
		r = -errno;
	if (!r && sync != FILE_NEW && renameat(dir, temp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, temp, 0);
		return err_num(e, STEP_FILE, name, r);
	}
	if (sync == FILE_SYNC) {
		auto_close int parent = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (parent < 0 || fsync(parent) < 0)
			return err_sys(e, STEP_FILE, name);
	}
	return 0;
}

static int lock_with(int dir, const char *name, int operation, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, STEP_LOCK, name);
	while (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return -EWOULDBLOCK;
		if (errno != EINTR)
			return err_sys(e, STEP_LOCK, name);
	}
	return take_fd(&fd);
}

int file_lock(int dir, const char *name, struct nook_error *e)
{
	return lock_with(dir, name, LOCK_EX, e);
}

int file_trylock(int dir, const char *name, struct nook_error *e)
{
	return lock_with(dir, name, LOCK_EX | LOCK_NB, e);
}

int dir_lock(const char *path, int operation)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	return take_fd(&fd);
}

int dir_make(const char *path, mode_t mode, struct nook_error *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(e, STEP_FILE, path);
	if (len >= sizeof(part))
		return err_num(e, STEP_FILE, path, ENAMETOOLONG);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_sys(e, STEP_FILE, part);
	}
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, STEP_FILE, path) : fd;
}

int fds_cloexec_from(unsigned first, struct nook_error *e)
{
	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, STEP_FDS, NULL);
	return 0;
}

int fds_check_given(unsigned n, struct nook_error *e)
{
	for (unsigned fd = 3; fd < 3 + n; fd++) {
		int flags = fcntl((int)fd, F_GETFD);
		char number[12];

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			continue;
		(void)snprintf(number, sizeof(number), "%u", fd);
		return err_why(e, STEP_FDS, number, EBADF, "is to be passed on, but not open");
	}
	return 0;
}
