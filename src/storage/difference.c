/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/difference.h"

#include "base/alloc.h"
#include "base/content.h"
#include "base/fd.h"
#include "base/names.h"
#include "stream/tree.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* As deep as tree_write() goes; each level holds two descriptors. */
enum { DEPTH_MAX = 900, BLOCK = 128 << 10, VALUE_MAX = 64 << 10 };
enum side { BEFORE, NOW, SIDES };

struct walk {
	const struct difference_how *how;
	char *path; /* of what is looked at, PATH_MAX; "" at the top */
	char *blocks[SIDES];
	unsigned depth;
};

/* One name on both sides. */
struct pair {
	int dirs[SIDES];
	const char *name;
	struct stat st[SIDES];
};

static int failed(const struct walk *w, struct nook_error *e)
{
	return err_sys(e, STEP_FILE, *w->path ? w->path : ".");
}

static int tell(struct walk *w, enum difference_kind kind, int dir, const char *name, const struct stat *st, struct nook_error *e)
{
	char link[PATH_MAX];
	ssize_t n = st && S_ISLNK(st->st_mode) ? readlinkat(dir, name, link, sizeof(link) - 1) : -1;

	if (n >= 0)
		link[n] = 0;
	return w->how->tell(w->how->data, &(struct difference){kind, *w->path ? w->path : ".", st, n < 0 ? NULL : link}, e);
}

/* ---- one name --------------------------------------------------------------------------------------------------------- */

/* In a layer that is looked at by itself there may be marks of what it hides. */
static bool is_mark(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_node(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

static int open_one(int dir, const char *name, int more)
{
	return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | more);
}

/* 1: they differ. */
static int compare_content(struct walk *w, const struct pair *p, struct nook_error *e)
{
	auto_close int before = open_one(p->dirs[BEFORE], p->name, 0), now = open_one(p->dirs[NOW], p->name, 0);
	int r;

	if (before < 0 || now < 0)
		return failed(w, e);
	r = content_compare(before, now, w->blocks, BLOCK);
	return r < 0 ? err_num(e, STEP_FILE, w->path, r) : r;
}

static int compare_links(struct walk *w, const struct pair *p, struct nook_error *e)
{
	ssize_t n = readlinkat(p->dirs[BEFORE], p->name, w->blocks[BEFORE], PATH_MAX);
	ssize_t other = readlinkat(p->dirs[NOW], p->name, w->blocks[NOW], PATH_MAX);

	if (n < 0 || other < 0)
		return failed(w, e);
	return n != other || memcmp(w->blocks[BEFORE], w->blocks[NOW], (size_t)n) != 0;
}

static void xattr_path(const struct pair *p, enum side side, char path[static NAME_MAX + 32])
{
	(void)snprintf(path, NAME_MAX + 32, "/proc/self/fd/%d/%s", p->dirs[side], p->name);
}

/* Every attribute of ONE that counts is the same at the OTHER; N of them. */
static int compare_values(struct walk *w, const struct pair *p, enum side one, unsigned *n, struct nook_error *e)
{
	static const struct owners as_they_are;
	const enum side other = one == NOW ? BEFORE : NOW;
	const struct owners *owners[] = {[BEFORE] = &as_they_are, [NOW] = &w->how->owners};
	char paths[SIDES][NAME_MAX + 32], *list = w->blocks[one], *values[] = {list + VALUE_MAX, w->blocks[other]};
	ssize_t len;

	xattr_path(p, BEFORE, paths[BEFORE]);
	xattr_path(p, NOW, paths[NOW]);
	len = llistxattr(paths[one], list, VALUE_MAX);
	if (len < 0)
		return errno == ENOTSUP ? 0 : failed(w, e);
	*n = 0;
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		ssize_t a = tree_is_private(name) ? -1 : lgetxattr(paths[one], name, values[0], VALUE_MAX), b;

		if (a < 0)
			continue;
		b = lgetxattr(paths[other], name, values[1], VALUE_MAX);
		if (b < 0)
			return 1;
		a = (ssize_t)owners_inside_value(owners[one], name, values[0], (size_t)a);
		b = (ssize_t)owners_inside_value(owners[other], name, values[1], (size_t)b);
		if (a != b || memcmp(values[0], values[1], (size_t)a) != 0)
			return 1;
		(*n)++;
	}
	return 0;
}

static int compare_xattrs(struct walk *w, const struct pair *p, struct nook_error *e)
{
	unsigned now = 0, before = 0;

	if (TRY(compare_values(w, p, NOW, &now, e)))
		return 1;
	return TRY(compare_values(w, p, BEFORE, &before, e)) || now != before;
}

static bool is_same_status(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

/* A name more is no change of the file, but who gets it without the others gets another file. */
static bool is_same_rest(const struct stat *before, const struct stat *now)
{
	return before->st_mtim.tv_sec == now->st_mtim.tv_sec && before->st_mtim.tv_nsec == now->st_mtim.tv_nsec &&
		(S_ISDIR(now->st_mode) || now->st_nlink <= before->st_nlink);
}

/* 1 and KIND: it has changed. */
static int judge(struct walk *w, const struct pair *p, enum difference_kind *kind, struct nook_error *e)
{
	const struct stat *before = &p->st[BEFORE], *now = &p->st[NOW];
	int differs = 0;

	*kind = DIFFERENCE_TYPE;
	if ((before->st_mode & S_IFMT) != (now->st_mode & S_IFMT) || (is_node(now->st_mode) && before->st_rdev != now->st_rdev))
		return 1;
	*kind = DIFFERENCE_CONTENT;
	if (S_ISREG(now->st_mode))
		differs = before->st_size != now->st_size || TRY(compare_content(w, p, e));
	else if (S_ISLNK(now->st_mode))
		differs = TRY(compare_links(w, p, e));
	if (differs)
		return 1;
	*kind = DIFFERENCE_STATUS;
	if (!is_same_status(before, now) || TRY(compare_xattrs(w, p, e)))
		return 1;
	*kind = DIFFERENCE_REST;
	return !is_same_rest(before, now);
}

/* ---- trees ------------------------------------------------------------------------------------------------------------ */

static int folder(struct walk *w, int before, int now, struct nook_error *e); /* a tree */

/* What is in a directory that is on both sides, or (descriptor -EBADF) on one alone. */
static int below(struct walk *w, const int dirs[SIDES], const char *name, bool was, bool is, struct nook_error *e)
{
	auto_close int before = was ? open_one(dirs[BEFORE], name, O_DIRECTORY) : -EBADF;
	auto_close int now = is ? open_one(dirs[NOW], name, O_DIRECTORY) : -EBADF;
	int r;

	if ((was && before < 0) || (is && now < 0))
		return failed(w, e);
	if (w->depth == DEPTH_MAX)
		return err_why(e, STEP_FILE, w->path, ELOOP, "directories are nested too deep");
	w->depth++;
	r = folder(w, before, now, e);
	w->depth--;
	return r;
}

static int status_of(struct walk *w, int dir, const char *name, struct stat *ret, struct nook_error *e)
{
	if (dir < 0)
		return 0;
	if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(w, e);
	return !is_mark(ret);
}

static int one_name(struct walk *w, int before, int now, const char *name, struct nook_error *e)
{
	struct pair p = {.dirs = {before, now}, .name = name};
	const bool was = TRY(status_of(w, before, name, &p.st[BEFORE], e)), is = TRY(status_of(w, now, name, &p.st[NOW], e));
	const bool was_dir = was && S_ISDIR(p.st[BEFORE].st_mode), is_dir = is && S_ISDIR(p.st[NOW].st_mode);
	enum difference_kind kind = was ? DIFFERENCE_GONE : DIFFERENCE_NEW;

	if (!was && !is)
		return 0;
	if (is)
		owners_inside(&w->how->owners, &p.st[NOW]);
	if (!was || !is || TRY(judge(w, &p, &kind, e)))
		TRY(tell(w, kind, now, name, is ? &p.st[NOW] : NULL, e));
	/* A file in its place tells that all in it is gone. */
	if (is_dir || (was_dir && !is))
		return below(w, p.dirs, name, was_dir, is_dir, e);
	return 0;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static int names_of(int dir, struct arena *a, const char ***ret, size_t *ret_n, struct nook_error *e)
{
	*ret_n = 0;
	if (dir < 0)
		return 0;
	TRY(names_read(dir, ".", a, ret, ret_n, e));
	if (*ret_n)
		qsort(*ret, *ret_n, sizeof(**ret), by_name);
	return 0;
}

static int folder(struct walk *w, int before, int now, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **old = NULL, **new = NULL;
	size_t n_old = 0, n_new = 0, len = strlen(w->path), i = 0, k = 0;

	TRY(names_of(before, a, &old, &n_old, e));
	TRY(names_of(now, a, &new, &n_new, e));
	while (i < n_old || k < n_new) {
		const int order = i == n_old ? 1 : k == n_new ? -1 : strcmp(old[i], new[k]);
		const char *name = order <= 0 ? old[i] : new[k];

		if (snprintf(w->path + len, PATH_MAX - len, "%s%s", len ? "/" : "", name) >= (int)(PATH_MAX - len))
			return err_num(e, STEP_FILE, name, ENAMETOOLONG);
		TRY(one_name(w, order <= 0 ? before : -EBADF, order >= 0 ? now : -EBADF, name, e));
		w->path[len] = 0;
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

int difference_walk(int before, int now, const struct difference_how *how, struct nook_error *e)
{
	auto_free char *path = xcalloc(1, PATH_MAX);
	auto_free char *first = xcalloc(2, BLOCK);
	struct walk w = {.how = how, .path = path, .blocks = {first, first + BLOCK}};

	return one_name(&w, before, now, ".", e);
}
