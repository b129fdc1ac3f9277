/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/lower.h"

#include "base/alloc.h"
#include "sys/openat2.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { COPY_BLOCK = 256 << 10, XATTR_ROOM = 65536 };

static bool is_opaque(int dir)
{
	char value = 0;

	return (fgetxattr(dir, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
		(fgetxattr(dir, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

/* Walks NAME in one layer.  1: found, *RET is a descriptor; 0: look further below; -ENOENT: hidden from here on down. */
static int find_in(int lower, const char *name, int *ret)
{
	auto_close int dir = openat2_raw(lower, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH);
	bool opaque = false;

	while (dir >= 0) {
		const size_t len = strcspn(name, "/");
		char part[NAME_MAX + 1];
		struct stat st;
		int next;

		memcpy(part, name, len);
		part[len] = 0;
		name += len + (name[len] == '/');
		if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return opaque ? -ENOENT : 0;
		if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
			return -ENOENT;
		if (*name ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
			return -EPERM;
		next = openat2_raw(dir, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		if (next < 0)
			return next;
		if (!*name) {
			*ret = next;
			return 1;
		}
		close_fd(&dir);
		dir = next;
		opaque |= is_opaque(dir);
	}
	return dir;
}

int lower_open(const int *lowers, size_t n, const struct entry_name *name)
{
	for (size_t i = 0; i < n; i++) {
		int fd = -EBADF, r = find_in(lowers[i], name->full, &fd);

		if (r)
			return r < 0 ? r : fd;
	}
	return -ENOENT;
}

static int copy_content(int from, int to)
{
	auto_free char *block = xcalloc(1, COPY_BLOCK);
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(from, block, COPY_BLOCK, at);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (pwrite(to, block, (size_t)n, at) != n)
			return errno ? -errno : -ENOSPC;
		at += n;
	}
}

static int copy_xattrs(int from, int to)
{
	auto_free char *names = xcalloc(1, XATTR_ROOM), *value = xcalloc(1, XATTR_ROOM);
	ssize_t len = flistxattr(from, names, XATTR_ROOM), size;

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		size = fgetxattr(from, name, value, XATTR_ROOM);
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

int lower_copy(int from, int to, enum lower_owner owner)
{
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return -errno;
	r = copy_content(from, to);
	if (r < 0)
		return r;
	/* The owner first: chown(2) takes capabilities and setuid bits away. */
	if (owner == LOWER_OWNER_KEPT && fchown(to, st.st_uid, st.st_gid) < 0)
		return -errno;
	r = copy_xattrs(from, to);
	if (r < 0)
		return r;
	if (fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	return futimens(to, (const struct timespec[2]){st.st_atim, st.st_mtim}) < 0 ? -errno : 0;
}
