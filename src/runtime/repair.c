/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/repair.h"

#include "base/names.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "runtime/data.h"
#include "runtime/idrange.h"
#include "runtime/mounts.h"
#include "runtime/record.h"
#include "runtime/store.h"

#include <sys/stat.h>

const char *const stale_names[STALE_KINDS] = {
	[STALE_START] = "start",    [STALE_CONTAINER] = "container", [STALE_NAME] = "name",
	[STALE_RANGE] = "id range", [STALE_CGROUP] = "cgroup",       [STALE_DATA] = "data",
	[STALE_FILE] = "file",
};

struct sweep {
	struct store_run *run;
	const char *root;
	struct arena *arena;
	bool clears;
	struct stale *found;
	size_t n;
};

static struct stale *note(struct sweep *s, enum stale_kind kind, const char *object, const char *about)
{
	struct stale *f = arena_push(s->arena, &s->found, &s->n);

	*f = (struct stale){.kind = kind, .object = arena_strdup(s->arena, object), .about = about};
	return f;
}

/* Calls visit() for each name in RUN/DIR; an absent directory has none. */
static int each_name(struct sweep *s, const char *dir, void (*visit)(struct sweep *s, const char *name), struct nook_error *e)
{
	const char **names;
	size_t n;

	TRY(names_read(s->run->fd, dir, s->arena, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		visit(s, names[i]);
	return 0;
}

/* ---- containers -------------------------------------------------------------------------------------------------- */

static bool is_temporary(const char *name)
{
	return text_after(name, "." STORE_STATE ".") != NULL;
}

/* Files that a killed save left.  Only who holds the lock saves, and that is us. */
static void sweep_files(struct sweep *s, int dir, const char *id)
{
	const char **names;
	size_t n;

	if (names_read(dir, ".", s->arena, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct stale *f;

		if (!is_temporary(names[i]))
			continue;
		f = note(s, STALE_FILE, arena_printf(s->arena, "%s/%s", id, names[i]), "a state that was being written");
		if (s->clears && unlinkat(dir, names[i], 0) < 0 && errno != ENOENT)
			f->result = err_sys(&f->error, STEP_STATE, names[i]);
	}
}

enum verdict { LEAVE, UNDO, FINISH };

/* Judged while the lock is held: nobody is creating or removing it. */
static enum verdict judge(const struct container *c, const char **about)
{
	enum container_status status = container_status(c);

	if (c->damage[0])
		*about = c->damage;
	else if (c->creating)
		*about = "its start was cut off";
	else
		*about = "it has ended and nobody cleared up";
	if (status != CONTAINER_STOPPED && !container_is_orphan(c))
		return LEAVE;
	if (c->creating)
		return UNDO;
	/* Without a supervisor it is finished, or an OCI container whose caller deletes it. */
	if (!c->supervisor || container_is_supervised(c))
		return LEAVE;
	return c->auto_remove ? UNDO : FINISH;
}

/* Does what holds the lock do so only until it dies: the child of a creator that was killed? */
static bool is_held_by_the_dying(struct sweep *s, const char *id, struct container *c)
{
	return state_load(s->run->fd, arena_printf(s->arena, STORE_CONTAINERS "/%s/" STORE_STATE, id), id, s->arena, c) == 0 &&
	       !c->damage[0] && ((c->creating && !container_is_supervised(c)) || container_is_orphan(c));
}

static void sweep_container(struct sweep *s, const char *id)
{
	auto_close int dir = container_id_check(id, NULL) < 0 ? -EINVAL : container_trylock(s->run, id, NULL);
	const char *about = NULL;
	enum verdict verdict;
	struct container c;
	struct stale *f;

	if (dir < 0 && (dir != -EWOULDBLOCK || !is_held_by_the_dying(s, id, &c)))
		return;
	if (dir >= 0 && state_load(dir, STORE_STATE, id, s->arena, &c) < 0)
		c = (struct container){.id = arena_strdup(s->arena, id), .creating = true, .damage = "it has no state"};
	verdict = judge(&c, &about);
	if (dir >= 0 && verdict != UNDO)
		sweep_files(s, dir, id);
	close_fd(&dir);
	if (verdict == LEAVE)
		return;
	f = note(s, c.creating ? STALE_START : STALE_CONTAINER, id, about);
	if (s->clears)
		f->result = verdict == UNDO ? container_remove(s->run, &c, REMOVE_STOPPED, &f->error)
		                            : container_finish(s->run, &c, &f->error);
}

/* ---- names and ranges ---------------------------------------------------------------------------------------------- */

static void sweep_name(struct sweep *s, const char *name)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r = container_id_check(name, NULL) < 0 ? 0 : store_name_sweep(s->run, name, s->clears ? STALE_REMOVE : STALE_LOOK, &e);
	struct stale *f;

	if (!r)
		return;
	f = note(s, STALE_NAME, name, "it leads to no container");
	if (r < 0) {
		f->result = r;
		f->error = e;
	}
}

static void sweep_range(struct sweep *s, const char *name)
{
	struct stale *f;
	uint32_t base = 0;

	if (text_u32(name, &base) < 0 || !idrange_is_stale(s->run->fd, base))
		return;
	f = note(s, STALE_RANGE, name, "it belongs to no container");
	if (s->clears) {
		int r = idrange_sweep(s->run->fd, base, &f->error);

		f->result = r < 0 ? r : 0;
	}
}

/* ---- groups ------------------------------------------------------------------------------------------------------- */

/* The id in "nook-ID" or "nook-ID@TAG" when the group is of this run directory. */
static bool group_is_ours(struct sweep *s, const char *name, char *id)
{
	const char *rest = text_after(name, "nook-");
	size_t len = rest ? strcspn(rest, "@") : 0;

	if (!len || len > CONTAINER_ID_MAX)
		return false;
	memcpy(id, rest, len);
	id[len] = 0;
	return container_id_check(id, NULL) == 0 && text_is(name, container_cgroup_path(s->run, id, s->arena));
}

static void sweep_group(struct sweep *s, const char *parent, const char *name)
{
	char id[CONTAINER_ID_MAX + 1];
	const char *path;
	struct stale *f;
	struct stat st;
	pid_t *pids;
	int n;

	/* The group was seen before its container is looked for: a start makes the directory first, a removal removes it
	 * last, so a group without one is nobody's. */
	if (!group_is_ours(s, name, id) ||
	    fstatat(s->run->fd, arena_printf(s->arena, STORE_CONTAINERS "/%s", id), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	path = arena_printf(s->arena, "%s/%s", parent, name);
	const struct cgroup g = {.dirs = &path, .n = 1};

	n = cgroup_pids(s->arena, &g, &pids, NULL);
	if (n > 0) {
		/* Killing by name alone is not for us: it may be another mount namespace's run directory of this path. */
		f = note(s, STALE_CGROUP, path, "it belongs to no container, but has processes in it");
		f->result = err_fmt(&f->error, STEP_CGROUP, path, EBUSY, "%d processes are in it, process %d first; nothing was done", n,
		                    (int)pids[0]);
		return;
	}
	f = note(s, STALE_CGROUP, path, "it belongs to no container");
	if (s->clears)
		f->result = cgroup_remove(&g, &f->error);
}

static void sweep_groups_in(struct sweep *s, const char *parent)
{
	const char **names;
	size_t n;

	if (!parent || names_read(AT_FDCWD, parent, s->arena, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		sweep_group(s, parent, names[i]);
}

static int sweep_groups(struct sweep *s, struct nook_error *e)
{
	struct cgroup_layout layout = {0};

	TRY(cgroup_layout_read(s->arena, AT_FDCWD, &layout, e));
	/* Groups are made at the top, or in the nearest group above the caller's own that was delegated to it. */
	for (size_t i = 0; i < layout.n; i++) {
		const char *top = layout.h[i].mount, *self = layout.h[i].self;
		char *dir = self ? arena_strdup(s->arena, self) : NULL;

		while (dir && strlen(dir) > strlen(top)) {
			sweep_groups_in(s, dir);
			*strrchr(dir, '/') = 0;
		}
		sweep_groups_in(s, top);
	}
	return 0;
}

/* ---- data --------------------------------------------------------------------------------------------------------- */

static void sweep_datum(struct sweep *s, enum data_kind kind, const char *name)
{
	auto_close int lock = data_orphan_lock(s->run, s->root, kind, name, s->arena);
	const char *path = arena_printf(s->arena, "%s/%s/%s", s->root, data_names[kind], name);
	struct stale *f;

	struct container c;

	/* What is only looked at has not come back yet. */
	if (lock < 0 || (kind == DATA_LAYER && record_is_there(s->run, path, arena_strndup(s->arena, name, strcspn(name, "@")), s->arena, &c)))
		return;
	f = note(s, STALE_DATA, path, "it belongs to no container");
	if (s->clears)
		f->result = mounts_tree_remove(path, &f->error);
}

/* Containers whose state went with RUN come back before what belongs to nobody is taken away. */
static void sweep_lost(struct sweep *s, const char *name)
{
	auto_close int lock = data_orphan_lock(s->run, s->root, DATA_LAYER, name, s->arena);
	const char *path = arena_printf(s->arena, "%s/%s/%s", s->root, data_names[DATA_LAYER], name);
	const char *id = arena_strndup(s->arena, name, strcspn(name, "@"));
	struct container c;
	struct stale *f;

	if (lock < 0 || !record_is_there(s->run, path, id, s->arena, &c))
		return;
	f = note(s, STALE_CONTAINER, id, "its state was lost, its changes were not: it is there again");
	if (s->clears)
		f->result = record_adopt(s->run, path, &c, &f->error);
}

static int sweep_data(struct sweep *s, struct nook_error *e)
{
	const char **names;
	size_t n;

	TRY(names_read(AT_FDCWD, arena_printf(s->arena, "%s/%s", s->root, data_names[DATA_LAYER]), s->arena, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		sweep_lost(s, names[i]);
	for (int kind = 0; kind < DATA_KINDS; kind++) {
		TRY(names_read(AT_FDCWD, arena_printf(s->arena, "%s/%s", s->root, data_names[kind]), s->arena, &names, &n, e));
		for (size_t i = 0; i < n; i++)
			sweep_datum(s, (enum data_kind)kind, names[i]);
	}
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------- */

static int sweep_all(struct sweep *s, struct stale **ret, size_t *ret_n, struct nook_error *e)
{
	TRY(each_name(s, STORE_CONTAINERS, sweep_container, e));
	TRY(each_name(s, STORE_NAMES, sweep_name, e));
	TRY(each_name(s, "ids", sweep_range, e));
	TRY(sweep_groups(s, e));
	TRY(sweep_data(s, e));
	*ret = s->found;
	*ret_n = s->n;
	return 0;
}

int runtime_check(struct store_run *r, const char *root, struct arena *a, struct stale **ret, size_t *ret_n, struct nook_error *e)
{
	return sweep_all(&(struct sweep){.run = r, .root = root, .arena = a}, ret, ret_n, e);
}

int runtime_repair(struct store_run *r, const char *root, struct arena *a, struct stale **ret, size_t *ret_n, struct nook_error *e)
{
	return sweep_all(&(struct sweep){.run = r, .root = root, .arena = a, .clears = true}, ret, ret_n, e);
}
