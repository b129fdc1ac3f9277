/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmpcopyup: a tmpfs over a directory starts with the directory's content.  No allocation; bounded depth. */
#include "launch/apply_mount.h"

#include "base/fd.h"

#include <dirent.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { DEPTH_MAX = 64, ENTRIES_SIZE = 4096 };

struct entry { /* linux_dirent64, getdents(2) */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int copy_dir(int from, int to, int depth);

static int copy_meta(int at, const char *name, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchownat(at, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* After chown(2), which clears set-id bits. */
	if (!S_ISLNK(st->st_mode) && fchmodat(at, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	if (utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int out = in < 0 ? -EBADF : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	off_t left = st->st_size;

	if (out < 0)
		return -errno;
	while (left > 0) {
		ssize_t n = sendfile(out, in, NULL, left > 0x7ffff000 ? 0x7ffff000 : (size_t)left);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		left -= n;
	}
	return 0;
}

static int copy_link_text(int from, int to, const char *name)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return symlinkat(text, to, name) < 0 ? -errno : 0;
}

static int copy_sub(int from, int to, const char *name, int depth)
{
	auto_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int out = -EBADF;

	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return -errno;
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return out < 0 ? -errno : copy_dir(in, out, depth + 1);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		r = copy_sub(from, to, name, depth);
	else if (S_ISREG(st.st_mode))
		r = copy_file(from, to, name, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_link_text(from, to, name);
	else
		r = mknodat(to, name, st.st_mode, st.st_rdev) < 0 ? -errno : 0;
	return r < 0 ? r : copy_meta(to, name, &st);
}

static int copy_dir(int from, int to, int depth)
{
	_Alignas(struct entry) char entries[ENTRIES_SIZE];

	if (depth > DEPTH_MAX)
		return -ELOOP;
	for (;;) {
		long n = syscall(SYS_getdents64, from, entries, sizeof(entries));

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (long at = 0; at < n;) {
			const struct entry *d = (const struct entry *)(entries + at);

			at += d->len;
			if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
				continue;
			int r = copy_entry(from, to, d->name, depth);

			if (r < 0)
				return r;
		}
	}
}

int copy_up(int from, int to, const char *target, struct nook_error *e)
{
	auto_close int in = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return err_sys(e, STEP_MOUNT, target);
	r = copy_dir(in, out, 0);
	if (r == 0)
		r = copy_meta(out, ".", &st);
	if (r < 0) {
		(void)err_num(e, STEP_MOUNT, target, r);
		err_detail(e, "copying its content up");
	}
	return r;
}
