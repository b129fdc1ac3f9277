/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/copylayer.h"

#include "base/text.h"
#include "storage/difference.h"
#include "storage/merge.h"
#include "stream/tree.h"

#include <sched.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mount.h>

/* Two passes: an entry needs those of the directories that it is in, whatever has become of these. */
struct layer {
	struct arena *arena;
	void *taken;         /* a tree of names, tsearch(3) */
	const char **gone;   /* the topmost names; sorted once all are known */
	size_t n_gone;
};

static int by_text(const void *one, const void *other)
{
	return strcmp(one, other);
}

static void nothing(void *name)
{
	(void)name; /* the arena's */
}

static void take(struct layer *l, const char *path)
{
	char *name = arena_strdup(l->arena, path);

	for (char *slash = name; slash; *slash = 0) {
		if (tfind(name, &l->taken, by_text))
			return;
		if (!tsearch(arena_strdup(l->arena, name), &l->taken, by_text))
			abort();
		slash = strrchr(name, '/');
		if (!slash)
			return;
	}
}

static bool is_in(const char *path, const char *folder)
{
	const char *rest = *folder ? text_after(path, folder) : path;

	return rest && (!*folder || *rest == '/');
}

static int note(void *data, const struct difference *d, struct nook_error *e)
{
	struct layer *l = data;

	(void)e;
	if (d->kind != DIFFERENCE_GONE) {
		take(l, d->path);
		return 0;
	}
	/* All that was in it goes with it. */
	if (l->n_gone && is_in(d->path, l->gone[l->n_gone - 1]))
		return 0;
	*arena_push(l->arena, &l->gone, &l->n_gone) = arena_strdup(l->arena, d->path);
	take(l, arena_strndup(l->arena, d->path, strrchr(d->path, '/') ? (size_t)(strrchr(d->path, '/') - d->path) : 0));
	return 0;
}

static enum tree_verdict judge(void *data, const char *name, const struct stat *st)
{
	struct layer *l = data;

	(void)st;
	return tfind(name, &l->taken, by_text) ? TREE_TAKE : TREE_LEAVE_OUT;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The first name behind "FOLDER/". */
static size_t first_in(const struct layer *l, const char *folder)
{
	size_t low = 0, high = l->n_gone;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		const char *name = l->gone[middle];
		const size_t len = strlen(folder);
		const int order = strncmp(name, folder, len);

		if (order < 0 || (order == 0 && name[len] < '/'))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const char *missing(void *data, const char *folder, size_t *at)
{
	const struct layer *l = data;
	const size_t len = *folder ? strlen(folder) + 1 : 0;

	if (*at == 0)
		*at = *folder ? first_in(l, folder) : 0;
	for (; *at < l->n_gone && is_in(l->gone[*at], folder); (*at)++)
		if (!strchr(l->gone[*at] + len, '/'))
			return l->gone[(*at)++] + len;
	return NULL;
}

int copylayer_write(const void *data, int out, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const struct copylayer *c = data;
	struct layer l = {.arena = a};
	const struct tree_filter filter = {.judge = judge, .missing = missing, .data = &l, .owners = c->upper->owners};
	const struct difference_how how = {.tell = note, .data = &l, .owners = c->upper->owners};
	int r;

	/* Where an ordinary user's layers can be mounted. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, STEP_NAMESPACE, "mount");
	auto_close int merged = TRY(image_merge(c->image, e));
	auto_close int before = openat(merged, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (before < 0)
		return err_sys(e, STEP_IMAGE, c->image->digest);
	r = difference_walk(before, c->upper->dir, &how, e);
	if (l.n_gone)
		qsort(l.gone, l.n_gone, sizeof(*l.gone), by_name);
	/* Overlays give directories another device than files: no TREE_ONE_FS. */
	if (r >= 0)
		r = tree_write_some(c->upper->dir, NULL, "", TREE_LAYER | TREE_SPARSE, &filter, out, e);
	tdestroy(l.taken, nothing);
	return r;
}
