/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/changes.h"

#include "base/alloc.h"
#include "base/content.h"
#include "base/fd.h"
#include "base/text.h"
#include "sys/openat2.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 200, BLOCK = 64 << 10 };

const char change_letters[CHANGE_KINDS] = {
	[CHANGE_ADDED] = 'A', [CHANGE_CONTENT] = 'M', [CHANGE_META] = 'P', [CHANGE_TYPE] = 'T', [CHANGE_DELETED] = 'D',
	[CHANGE_REFUSED] = '!',
};

struct level {
	int upper;       /* a directory of the layer */
	int original;    /* the same directory as it was, or -EBADF */
	bool opaque;     /* nothing of the original shines through */
	bool has_marks;  /* files with an attribute may be whiteouts */
	const char *path; /* "" at the top */
	int depth;
};

struct changes {
	const struct changes_how *how;
};

/* ---- telling -------------------------------------------------------------------------------------------------------- */

static int tell(const struct changes *c, const struct change *change, struct nook_error *e)
{
	return c->how->tell ? c->how->tell(c->how->data, change, e) : 0;
}

static const char *path_of(struct arena *a, const struct level *l, const char *name)
{
	return *l->path ? arena_printf(a, "%s/%s", l->path, name) : arena_strdup(a, name);
}

static int refuse(const struct changes *c, const char *path, mode_t mode, const char *why, struct nook_error *e)
{
	if (c->how->apply && !c->how->skip)
		return err_why(e, STEP_FILE, path, EPERM, why);
	return tell(c, &(struct change){.kind = CHANGE_REFUSED, .path = path, .why = why, .mode = mode}, e);
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a directory, sorted; -errno without a record. */
static int names_read(int dir, struct arena *a, const char ***ret, size_t *ret_n)
{
	int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = own < 0 ? NULL : fdopendir(own);
	const char **list = NULL;
	struct dirent *entry;
	size_t n = 0;
	int r;

	if (!stream) {
		r = -errno;
		close_fd(&own);
		return r;
	}
	while ((errno = 0, entry = readdir(stream)))
		if (!text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
			*arena_push(a, &list, &n) = arena_strdup(a, entry->d_name);
	r = -errno;
	(void)closedir(stream);
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	*ret = list;
	*ret_n = n;
	return r;
}

static bool has_name(const char **names, size_t n, const char *name)
{
	return n && bsearch(&name, names, n, sizeof(*names), by_name);
}

/* ---- marks of overlayfs --------------------------------------------------------------------------------------------- */

/* The first letter of user.overlay.MARK, or 0. */
static char mark_of(int fd, const char *mark)
{
	char value[8] = "";

	if (fgetxattr(fd, mark, value, sizeof(value)) <= 0)
		return 0;
	return value[0];
}

/* Both forms: a device that cannot be, and an attribute where the directory says that there are such. */
static bool is_whiteout(const struct level *l, const char *name, const struct stat *st)
{
	auto_close int fd = -EBADF;

	if (S_ISCHR(st->st_mode))
		return st->st_rdev == makedev(0, 0);
	if (!l->has_marks || !S_ISREG(st->st_mode) || st->st_size)
		return false;
	fd = openat(l->upper, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && fgetxattr(fd, "user.overlay.whiteout", NULL, 0) >= 0;
}

/* ---- what is gone ---------------------------------------------------------------------------------------------------- */

/* Tells of NAME and all that is in it. */
static int tell_gone(struct changes *c, int dir, const char *name, const char *path, int depth, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int fd = bring_open_dir(dir, name);
	const char **names = NULL;
	size_t n = 0;

	TRY(tell(c, &(struct change){.kind = CHANGE_DELETED, .path = path}, e));
	if (fd < 0 || depth > DEPTH_MAX || names_read(fd, a, &names, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		TRY(tell_gone(c, fd, names[i], arena_printf(a, "%s/%s", path, names[i]), depth + 1, e));
	return 0;
}

static int gone(struct changes *c, const struct level *l, const char *name, const char *path, struct nook_error *e)
{
	struct stat st;

	if (l->original < 0 || fstatat(l->original, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	TRY(tell_gone(c, l->original, name, path, l->depth, e));
	return c->how->apply ? tree_remove(l->original, name, e) : 0;
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static bool same_content(int a, int b)
{
	auto_free char *one = xcalloc(1, BLOCK);
	auto_free char *two = xcalloc(1, BLOCK);

	return content_compare(a, b, (char *[]){one, two}, BLOCK) == 0;
}

static bool same_meta(const struct stat *now, const struct stat *had)
{
	return bring_mode(now, had) == (had->st_mode & 07777) && now->st_uid == had->st_uid && now->st_gid == had->st_gid;
}

static bool is_same_type(const struct stat *a, const struct stat *b)
{
	return (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

/* HAD: NULL when nothing was there.  Returns CHANGE_KINDS when nothing has changed. */
static enum change_kind file_kind(const struct level *l, const char *name, int now_fd, const struct stat *now, const struct stat *had)
{
	auto_close int had_fd = -EBADF;

	if (!had)
		return CHANGE_ADDED;
	if (!is_same_type(now, had))
		return CHANGE_TYPE;
	had_fd = openat2_raw(l->original, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	if (had_fd < 0 || now->st_size != had->st_size || !same_content(now_fd, had_fd))
		return CHANGE_CONTENT;
	return same_meta(now, had) && attributes_are_equal(now_fd, had_fd) ? CHANGE_KINDS : CHANGE_META;
}

/* Another type of thing stands in the way. */
static int clear_way(const struct changes *c, const struct level *l, const char *name, const struct stat *now, const struct stat *had,
	struct nook_error *e)
{
	return c->how->apply && had && !is_same_type(now, had) ? tree_remove(l->original, name, e) : 0;
}

static int file_changed(struct changes *c, const struct level *l, const char *name, const char *path, const struct stat *now,
	const struct stat *had, struct nook_error *e)
{
	auto_close int fd = openat(l->upper, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct change change = {.path = path, .mode = now->st_mode};

	if (fd < 0)
		return refuse(c, path, now->st_mode, "it cannot be read", e);
	if (geteuid() != 0 && now->st_uid != geteuid())
		return refuse(c, path, now->st_mode, "it belongs to another user", e);
	change.kind = file_kind(l, name, fd, now, had);
	if (change.kind == CHANGE_KINDS)
		return 0;
	if (bring_mode(now, had) != (now->st_mode & 07777))
		change.why = "without its set-id bits";
	TRY(tell(c, &change, e));
	TRY(clear_way(c, l, name, now, had, e));
	return c->how->apply ? bring_file(l->upper, l->original, name, had, e) : 0;
}

static int link_read(int dir, const char *name, char *ret)
{
	ssize_t n = readlinkat(dir, name, ret, PATH_MAX - 1);

	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

static int link_changed(struct changes *c, const struct level *l, const char *name, const char *path, const struct stat *now,
	const struct stat *had, struct nook_error *e)
{
	char text[PATH_MAX], old[PATH_MAX];
	struct change change = {.kind = had ? CHANGE_CONTENT : CHANGE_ADDED, .path = path, .link = text, .mode = now->st_mode};
	int r = link_read(l->upper, name, text);

	if (r < 0)
		return err_num(e, STEP_FILE, path, r);
	if (had && !is_same_type(now, had))
		change.kind = CHANGE_TYPE;
	else if (had && link_read(l->original, name, old) == 0 && text_is(text, old))
		return 0;
	TRY(tell(c, &change, e));
	TRY(clear_way(c, l, name, now, had, e));
	return c->how->apply ? bring_link(l->original, name, text, e) : 0;
}

/* ---- directories ---------------------------------------------------------------------------------------------------- */

static int level_walk(struct changes *c, const struct level *l, struct nook_error *e);

/* What the directory is called by the kernel's marks: y: opaque, x: it has whiteouts by attribute. */
static void read_marks(struct level *l)
{
	char mark = mark_of(l->upper, "user.overlay.opaque");

	l->opaque = mark == 'y';
	l->has_marks = mark == 'x';
}

static int dir_meta(struct changes *c, const struct level *below, const struct stat *now, const struct stat *had, const char *name,
	struct nook_error *e)
{
	bool same = had && is_same_type(now, had) && same_meta(now, had) && attributes_are_equal(below->upper, below->original);
	struct change change = {.kind = CHANGE_META, .path = below->path, .mode = now->st_mode};

	if (same)
		return 0;
	/* A new one has been told of already. */
	if (had && is_same_type(now, had))
		TRY(tell(c, &change, e));
	return c->how->apply ? bring_dir_meta(below->upper, below->original, had, name, e) : 0;
}

static int dir_changed(struct changes *c, const struct level *l, const char *name, const char *path, const struct stat *now,
	const struct stat *had, struct nook_error *e)
{
	struct level below = {.path = path, .depth = l->depth + 1, .original = -EBADF};
	auto_close int upper = bring_open_dir(l->upper, name);
	auto_close int original = -EBADF;
	bool merged = had && is_same_type(now, had);

	if (upper < 0)
		return refuse(c, path, now->st_mode, "it cannot be looked into", e);
	if (below.depth > DEPTH_MAX)
		return refuse(c, path, now->st_mode, "directories are nested too deep", e);
	if (geteuid() != 0 && now->st_uid != geteuid())
		return refuse(c, path, now->st_mode, "it belongs to another user", e);
	if (!merged)
		TRY(tell(c, &(struct change){.kind = had ? CHANGE_TYPE : CHANGE_ADDED, .path = path, .mode = now->st_mode}, e));
	TRY(clear_way(c, l, name, now, had, e));
	if (c->how->apply)
		original = TRY(bring_dir(l->original, name, e));
	else if (merged)
		original = bring_open_dir(l->original, name);
	if (merged && original < 0)
		return refuse(c, path, now->st_mode, "the original cannot be looked into: it is a mount point, or closed to you", e);
	below.upper = upper;
	below.original = original;
	read_marks(&below);
	TRY(level_walk(c, &below, e));
	return dir_meta(c, &below, now, had, name, e);
}

static int entry_walk(struct changes *c, struct arena *a, const struct level *l, const char *name, struct nook_error *e)
{
	const char *path = path_of(a, l, name);
	struct stat now, had;
	bool was;

	if (fstatat(l->upper, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_FILE, path);
	if (is_whiteout(l, name, &now))
		return gone(c, l, name, path, e);
	was = l->original >= 0 && fstatat(l->original, name, &had, AT_SYMLINK_NOFOLLOW) == 0;
	if (S_ISDIR(now.st_mode))
		return dir_changed(c, l, name, path, &now, was ? &had : NULL, e);
	if (S_ISREG(now.st_mode))
		return file_changed(c, l, name, path, &now, was ? &had : NULL, e);
	if (S_ISLNK(now.st_mode))
		return link_changed(c, l, name, path, &now, was ? &had : NULL, e);
	return refuse(c, path, now.st_mode, "a device, FIFO or socket", e);
}

/* What the original has and an opaque directory does not show. */
static int covered_walk(struct changes *c, struct arena *a, const struct level *l, const char **names, size_t n, struct nook_error *e)
{
	const char **old = NULL;
	size_t n_old = 0;

	if (!l->opaque || l->original < 0)
		return 0;
	if (names_read(l->original, a, &old, &n_old) < 0)
		return err_sys(e, STEP_FILE, l->path);
	for (size_t i = 0; i < n_old; i++)
		if (!has_name(names, n, old[i]))
			TRY(gone(c, l, old[i], path_of(a, l, old[i]), e));
	return 0;
}

static int level_walk(struct changes *c, const struct level *l, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **names = NULL;
	size_t n = 0;
	int r = names_read(l->upper, a, &names, &n);

	if (r < 0)
		return err_num(e, STEP_FILE, *l->path ? l->path : "upper", r);
	/* First what is gone, so that it is not in the way. */
	TRY(covered_walk(c, a, l, names, n, e));
	for (size_t i = 0; i < n; i++)
		TRY(entry_walk(c, a, l, names[i], e));
	return 0;
}

int changes_walk(int upper, int original, const struct changes_how *how, struct nook_error *e)
{
	struct changes c = {.how = how};
	struct level top = {.upper = upper, .original = original, .path = ""};
	struct stat now, had;
	int r;

	if (fstat(upper, &now) < 0 || (original >= 0 && fstat(original, &had) < 0))
		return err_sys(e, STEP_FILE, "upper");
	read_marks(&top);
	TRY(level_walk(&c, &top, e));
	if (original < 0 || ((now.st_mode ^ had.st_mode) & 01777) == 0)
		return 0;
	/* Nobody in the box made the top: it has the owner of who ran the box. */
	TRY(tell(&c, &(struct change){.kind = CHANGE_META, .path = ".", .mode = now.st_mode}, e));
	r = how->apply ? fchmod(original, bring_mode(&now, &had)) : 0;
	return r < 0 ? err_sys(e, STEP_FILE, ".") : 0;
}
