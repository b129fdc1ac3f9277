/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How nothing outside the root is ever touched: each lookup is one openat2(2) that the kernel confines to the root, and
 * each thing is made with a single component below a descriptor that such a lookup returned, by calls that never follow
 * a link in that component (mkdirat, O_EXCL).  So a name that changes between two calls changes only where inside the
 * root the work lands.
 */
#include "sys/inroot.h"

#include "sys/openat2.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int inroot_open_raw(int root, const char *name, int flags, mode_t mode)
{
	return openat2_raw(root, name, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int inroot_open(int root, const char *name, int flags, enum step_id step, struct nook_error *e)
{
	int fd = inroot_open_raw(root, name, flags, 0);

	return fd < 0 ? err_num(e, step, name, fd) : fd;
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* An existing directory, or the one made as LAST below PARENT, both seen as PATH from the root. */
static int open_or_make(int root, const char *path, int parent, const char *last, mode_t mode)
{
	int fd = inroot_open_raw(root, path, O_PATH | O_DIRECTORY, 0);

	if (fd != -ENOENT)
		return fd;
	/* EEXIST: somebody else made it, or it is a dangling link, which the second look tells apart. */
	if (mkdirat(parent, last, mode) < 0 && errno != EEXIST)
		return -errno;
	return inroot_open_raw(root, path, O_PATH | O_DIRECTORY, 0);
}

/* mkdirs for the first LEN bytes of NAME; each prefix is looked up anew from the root, for a component may be a link. */
static int make_prefix(int root, const char *name, size_t len, mode_t mode)
{
	char path[PATH_MAX];
	size_t at = 0;
	auto_close int fd = -EBADF;

	if (len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, name, len);
	path[len] = 0;
	at = (size_t)(skip_slashes(path) - path);
	if (!path[at])
		return inroot_open_raw(root, "/", O_PATH | O_DIRECTORY, 0);
	fd = inroot_open_raw(root, path, O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return take_fd(&fd);
	while (path[at]) {
		size_t end = at + strcspn(path + at, "/");
		char kept = path[end];
		int next;

		path[end] = 0;
		next = open_or_make(root, path, fd >= 0 ? fd : root, path + at, mode);
		path[end] = kept;
		if (next < 0)
			return next;
		close_fd(&fd);
		fd = next;
		at = (size_t)(skip_slashes(path + end) - path);
	}
	return take_fd(&fd);
}

int inroot_mkdirs(int root, const char *name, mode_t mode, struct nook_error *e)
{
	int fd = make_prefix(root, name, strlen(name), mode);

	return fd < 0 ? err_num(e, STEP_TARGET, name, fd) : fd;
}

/* Where the last component of NAME starts and how long it is; 0 when there is none that could be made. */
static size_t last_component(const char *name, size_t *ret_at)
{
	size_t end = strlen(name), at;

	while (end > 0 && name[end - 1] == '/')
		end--;
	for (at = end; at > 0 && name[at - 1] != '/';)
		at--;
	*ret_at = at;
	if ((end - at == 1 && name[at] == '.') || (end - at == 2 && name[at] == '.' && name[at + 1] == '.'))
		return 0;
	return end - at;
}

int inroot_parent(int root, const char *name, mode_t mode, char *last, size_t size, struct nook_error *e)
{
	size_t at = 0, len = last_component(name, &at);
	int fd;

	if (!len)
		return err_why(e, STEP_TARGET, name, EINVAL, "ends in no name");
	if (len >= size)
		return err_num(e, STEP_TARGET, name, ENAMETOOLONG);
	fd = make_prefix(root, name, at, mode);
	if (fd < 0)
		return err_num(e, STEP_TARGET, name, fd);
	memcpy(last, name + at, len);
	last[len] = 0;
	return fd;
}

int inroot_mkfile(int root, const char *name, mode_t mode, struct nook_error *e)
{
	int found = inroot_open_raw(root, name, O_PATH, 0);
	char last[NAME_MAX + 1];

	if (found != -ENOENT)
		return found < 0 ? err_num(e, STEP_TARGET, name, found) : found;
	auto_close int parent = TRY(inroot_parent(root, name, 0755, last, sizeof(last), e));
	auto_close int made = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (made < 0 && errno != EEXIST)
		return err_sys(e, STEP_TARGET, name);
	return inroot_open(root, name, O_PATH, STEP_TARGET, e);
}

int inroot_real_dir(int root, const char *name, mode_t mode, struct nook_error *e)
{
	size_t at = 0, len = last_component(name, &at);
	char last[NAME_MAX + 1];
	int fd;

	if (!len || skip_slashes(name) != name + at)
		return err_why(e, STEP_TARGET, name, EINVAL, "is not directly below the root");
	if (len >= sizeof(last))
		return err_num(e, STEP_TARGET, name, ENAMETOOLONG);
	memcpy(last, name + at, len);
	last[len] = 0;
	fd = openat(root, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(root, last, mode) < 0 && errno != EEXIST)
			return err_sys(e, STEP_TARGET, name);
		fd = openat(root, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_why(e, STEP_TARGET, name, ENOTDIR, "is a link or a file in this root, and must be a directory");
	return fd < 0 ? err_sys(e, STEP_TARGET, name) : fd;
}
