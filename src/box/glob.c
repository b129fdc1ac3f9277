/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files that rules show a pattern means.  They are looked up when the box starts; what comes later is not hidden. */
#include "box/box.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

enum { DEPTH_MAX = 100, ENTRIES_MAX = 200000, HIDDEN_MAX = 1000 };

struct search {
	const char *pattern, *tail; /* tail: what stands behind the first two stars and a slash, or NULL */
	struct arena *arena;
	const char ***list;
	size_t *n;
	size_t entries, found;
};

/* The last as many components of PATH as TAIL has. */
static const char *same_depth(const char *path, const char *tail)
{
	const char *at = path + strlen(path);
	int slashes = 1;

	for (; *tail; tail++)
		slashes += *tail == '/';
	while (at > path && slashes) {
		at--;
		slashes -= *at == '/';
	}
	return slashes ? NULL : at + 1;
}

static bool matches(const struct search *s, const char *path)
{
	const char *end = s->tail ? same_depth(path, s->tail) : path;

	return end && fnmatch(s->tail ? s->tail : s->pattern, end, FNM_PATHNAME) == 0;
}

/* What cannot be read here cannot be read in the box either; and what is no directory, or gone, hides nothing. */
static bool is_closed(int errnum)
{
	return errnum == EACCES || errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP;
}

/* SHOWN: the path of directory FD in the box.  Takes the descriptor. */
static int search_dir(struct search *s, int fd, const char *shown, int depth, struct nook_error *e)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = err_sys(e, STEP_SOURCE, shown);
		(void)close(fd);
		return r;
	}
	while (r >= 0 && (errno = 0, entry = readdir(dir))) {
		const char *path;
		int below;

		if (text_is(entry->d_name, ".") || text_is(entry->d_name, ".."))
			continue;
		path = arena_printf(s->arena, "%s/%s", shown, entry->d_name);
		if (++s->entries > ENTRIES_MAX || s->found > HIDDEN_MAX) {
			r = err_why(e, STEP_OPTION, s->pattern, E2BIG, "too many files to look through, or to hide");
		} else if (matches(s, path)) {
			*arena_push(s->arena, s->list, s->n) = path;
			s->found++;
		} else if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) {
			if (depth == DEPTH_MAX) {
				r = err_why(e, STEP_OPTION, s->pattern, E2BIG, "directories are nested too deep to look through");
				break;
			}
			below = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below >= 0)
				r = search_dir(s, below, path, depth + 1, e);
			else if (!is_closed(errno))
				r = err_sys(e, STEP_SOURCE, path);
		}
	}
	if (r >= 0 && errno)
		r = err_sys(e, STEP_SOURCE, shown);
	(void)closedir(dir);
	return r;
}

int box_glob(const struct nook_box *b, const char *pattern, struct arena *a, const char ***list, size_t *n, struct nook_error *e)
{
	struct search s = {.pattern = pattern, .tail = text_after(pattern, "**/"), .arena = a, .list = list, .n = n};

	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];
		int fd = p->kind <= BOX_PATH_OVERLAY ? open(p->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (fd < 0 && p->kind <= BOX_PATH_OVERLAY && !is_closed(errno))
			return err_sys(e, STEP_SOURCE, p->source);
		if (fd >= 0)
			TRY(search_dir(&s, fd, p->target, 0, e));
		else if (p->kind <= BOX_PATH_OVERLAY && matches(&s, p->target))
			*arena_push(a, list, n) = p->target;
	}
	return 0;
}
