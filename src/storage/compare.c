/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/compare.h"

#include "base/content.h"
#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* As deep as tree_write() goes. */
enum { DEPTH_MAX = 900, BLOCK = 128 << 10, XATTRS_MAX = 64 << 10 };

struct comparison {
	char *path; /* of what is compared, PATH_MAX */
	char *blocks[2];
	unsigned depth;
};

static int failed(const struct comparison *c, struct nook_error *e)
{
	return err_sys(e, STEP_IMAGE, c->path);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same_status(const struct stat *a, const struct stat *b)
{
	const bool is_dir = S_ISDIR(a->st_mode), is_device = S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode);
	/* Directories that no entry names and marks of what is hidden have the time at which they were made. */
	const bool is_timed = S_ISREG(a->st_mode) || S_ISLNK(a->st_mode);

	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid && (!is_device || a->st_rdev == b->st_rdev) &&
		(is_dir || a->st_size == b->st_size) && (!is_timed || is_same_time(&a->st_mtim, &b->st_mtim));
}

static int compare_content(struct comparison *c, int left, int right, struct nook_error *e)
{
	int r = content_compare(left, right, c->blocks, BLOCK);

	return r < 0 ? err_num(e, STEP_IMAGE, c->path, r) : r;
}

/* Values of every attribute of LEFT are those of RIGHT, and there are as many.  PATHS: /proc/self/fd/DIR/NAME. */
static int compare_xattrs(struct comparison *c, const char *left, const char *right, struct nook_error *e)
{
	ssize_t len = llistxattr(left, c->blocks[0], XATTRS_MAX), other = llistxattr(right, c->blocks[1], XATTRS_MAX);

	if (len < 0 && errno == ENOTSUP)
		return 0;
	if (len < 0 || other < 0)
		return failed(c, e);
	if (len != other)
		return 1;
	char *values[] = {c->blocks[0] + XATTRS_MAX, c->blocks[1] + XATTRS_MAX};

	for (const char *name = c->blocks[0]; name < c->blocks[0] + len; name += strlen(name) + 1) {
		ssize_t n = lgetxattr(left, name, values[0], BLOCK - XATTRS_MAX);

		if (n < 0)
			return failed(c, e);
		if (lgetxattr(right, name, values[1], BLOCK - XATTRS_MAX) != n || memcmp(values[0], values[1], (size_t)n) != 0)
			return 1;
	}
	return 0;
}

static int compare_links(struct comparison *c, int left, int right, const char *name, struct nook_error *e)
{
	ssize_t n = readlinkat(left, name, c->blocks[0], PATH_MAX), other = readlinkat(right, name, c->blocks[1], PATH_MAX);

	if (n < 0 || other < 0)
		return failed(c, e);
	return n != other || memcmp(c->blocks[0], c->blocks[1], (size_t)n) != 0;
}

static int compare_directories(struct comparison *c, int left, int right, struct nook_error *e);

static int compare_opened(struct comparison *c, int left, int right, const char *name, bool is_dir, struct nook_error *e)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (is_dir ? O_DIRECTORY : 0);
	auto_close int l = openat(left, name, flags), r = openat(right, name, flags);

	if (l < 0 || r < 0)
		return failed(c, e);
	return is_dir ? compare_directories(c, l, r, e) : compare_content(c, l, r, e);
}

static int compare_entry(struct comparison *c, int left, int right, const char *name, struct nook_error *e)
{
	struct stat l, r;
	char paths[2][NAME_MAX + 32];

	if (fstatat(left, name, &l, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(c, e);
	if (fstatat(right, name, &r, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : failed(c, e);
	if (!is_same_status(&l, &r))
		return 1;
	(void)snprintf(paths[0], sizeof(paths[0]), "/proc/self/fd/%d/%s", left, name);
	(void)snprintf(paths[1], sizeof(paths[1]), "/proc/self/fd/%d/%s", right, name);
	if (TRY(compare_xattrs(c, paths[0], paths[1], e)))
		return 1;
	if (S_ISLNK(l.st_mode))
		return compare_links(c, left, right, name, e);
	return S_ISDIR(l.st_mode) || S_ISREG(l.st_mode) ? compare_opened(c, left, right, name, S_ISDIR(l.st_mode), e) : 0;
}

static int compare_directories(struct comparison *c, int left, int right, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **names = NULL, **others = NULL;
	size_t n = 0, n_others = 0, len = strlen(c->path);

	if (c->depth == DEPTH_MAX)
		return err_why(e, STEP_IMAGE, c->path, ELOOP, "directories are nested too deep");
	TRY(names_read(left, ".", a, &names, &n, e));
	TRY(names_read(right, ".", a, &others, &n_others, e));
	if (n != n_others)
		return 1;
	c->depth++;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(c->path + len, PATH_MAX - len, "/%s", names[i]);
		if (TRY(compare_entry(c, left, right, names[i], e)))
			return 1;
		c->path[len] = 0;
	}
	c->depth--;
	return 0;
}

int trees_compare(int left, int right, char path[static PATH_MAX], struct nook_error *e)
{
	auto_free char *first = xcalloc(1, BLOCK);
	auto_free char *second = xcalloc(1, BLOCK);
	struct comparison c = {.path = path, .blocks = {first, second}};

	(void)snprintf(path, PATH_MAX, ".");
	return compare_entry(&c, left, right, ".", e);
}
