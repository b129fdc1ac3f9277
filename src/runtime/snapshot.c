/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/snapshot.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/names.h"
#include "base/spawn.h"
#include "base/text.h"
#include "json/bind.h"
#include "runtime/copied.h"
#include "runtime/data.h"
#include "runtime/idrange.h"
#include "runtime/inside.h"
#include "runtime/mapped.h"
#include "runtime/mounts.h"
#include "runtime/plan_file.h"
#include "runtime/record.h"
#include "runtime/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ABOUT "snapshot.json"
#define LAYER "layer"
enum { ABOUT_MAX = 64 << 10, NO_LIMIT_MS = -1, NAMES_MAX = 100000 };

static const struct bind about_table[] = {
	{AT(struct snapshot, name), BIND_STRING, "name", .flags = BIND_REQUIRED},
	{AT(struct snapshot, created_ns), BIND_INT, "createdNs"},
	{0},
};

const char *snapshot_home(const struct store_run *r, const char *root, const char *id, struct arena *a)
{
	return arena_printf(a, "%s/snapshots/%s", root, store_tagged_id(r, id, a));
}

/* ---- copying ------------------------------------------------------------------------------------------------------------- */

struct copy {
	const char *from, *to;
	int lock; /* handed on to the helper, or -EBADF */
};

/* cp(1) keeps owners, links, holes, attributes and whiteouts, follows nothing, and shares blocks where it can. */
static int run_cp(const struct copy *c, struct nook_error *e)
{
	const char *const argv[] = {"cp", "-a", "--reflink=auto", "--sparse=auto", "--", c->from, c->to, NULL};
	AUTO_VALUE(buf_done) struct buf out = {0};
	int status = TRY(spawn_run(&(struct spawn){.argv = argv, .timeout_ms = NO_LIMIT_MS, .kept_fd = c->lock}, &out, e));

	if (!status)
		return 0;
	return err_fmt(e, STEP_SPAWN, "cp", EIO, "%.*s", (int)strcspn(buf_text(&out), "\n"), buf_text(&out));
}

static int mapped_cp(const void *data)
{
	struct nook_error e = NOOK_ERROR_INIT;

	return run_cp(data, &e) < 0 ? 1 : 0;
}

/* FROM to TO, which is not there.  LOCK is handed on to the helper: when this process is killed, what it guards is free only
 * when nobody writes there any more. */
static int copy_tree(struct store_run *r, const char *id, const char *from, const char *to, int lock, struct arena *a,
	struct nook_error *e)
{
	const struct copy c = {from, to, lock};
	struct idrange range = {0};

	if (geteuid() == 0)
		return run_cp(&c, e);
	/* Files of subordinate ids can be made only as root of them. */
	TRY(idrange_choose(runtime_fd(r), id, true, a, &range, e));
	if (TRY(mapped_run(&range, mapped_cp, &c, e)))
		return err_fmt(e, STEP_SPAWN, "cp", EIO, "\"%s\" could not be copied", from);
	return 0;
}

/* ---- what a container keeps ------------------------------------------------------------------------------------------------- */

static int find_layer(const struct store_run *r, const char *root, const struct container *c, struct arena *a, const char **ret,
	struct nook_error *e)
{
	const char *layer = data_path(r, root, copied_is_changed(c) ? DATA_UNPACKED : DATA_LAYER, c->id, a);

	for (size_t i = 0; i < c->n_kept; i++)
		if (text_is(c->kept[i], layer)) {
			*ret = layer;
			return 0;
		}
	return err_why(e, STEP_CONTAINER, c->id, ENODATA, "it keeps no layer: it was started without --storage dir or disk");
}

static int sync_root(int root, void *data, struct nook_error *e)
{
	auto_close int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)data;
	return fd < 0 || syncfs(fd) < 0 ? err_sys(e, STEP_ROOT, "/") : 0;
}

/* Nothing changes between hold_still() and let_go(). */
struct hold {
	const struct container *container;
	struct arena *arena;
	bool frozen;
	int lock;
};

static int hold_still(struct store_run *r, const struct container *c, const char *layer, struct arena *a, struct hold *h,
	struct nook_error *e)
{
	*h = (struct hold){.container = c, .arena = a, .lock = -EBADF};
	if (container_status(c) == CONTAINER_STOPPED) {
		h->lock = TRY(data_lock(layer, e));
		return 0;
	}
	h->frozen = TRY(inside_freeze(c, a, e)) == 1;
	/* A disk's file has what its file system has written. */
	return inside_run(r, c, INSIDE_ALL, sync_root, NULL, e);
}

static int let_go(struct hold *h, struct nook_error *e)
{
	close_fd(&h->lock);
	return h->frozen ? inside_thaw(h->container, h->arena, e) : 0;
}

static int copy_layer(struct store_run *r, const struct container *c, const char *layer, const char *to, int lock, struct arena *a,
	struct nook_error *e)
{
	struct nook_error later = NOOK_ERROR_INIT;
	struct hold h;
	int code = hold_still(r, c, layer, a, &h, e), released;

	if (code >= 0)
		code = copy_tree(r, c->id, layer, to, lock, a, e);
	released = let_go(&h, &later);
	if (code >= 0 && released < 0 && e)
		*e = later;
	return code < 0 ? code : released;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------------------- */

static const char *path_of(const struct store_run *r, const char *root, const struct container *c, const char *name, struct arena *a)
{
	return arena_printf(a, "%s/%s", snapshot_home(r, root, c->id, a), name);
}

static int load_one(const char *path, const char *name, struct arena *a, struct snapshot *ret, struct nook_error *e)
{
	auto_close int dir = container_id_check(name, NULL) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*ret = (struct snapshot){0};
	if (dir < 0)
		return err_why(e, STEP_STATE, name, ENOENT, "there is no such snapshot");
	return bind_load(dir, ABOUT, ABOUT_MAX, about_table, ret, a, STEP_STATE, e);
}

static const char *free_name(const char *home, struct arena *a)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		const char *name = arena_printf(a, "snap%d", i);

		if (access(arena_printf(a, "%s/%s", home, name), F_OK) < 0)
			return name;
	}
	return "snap";
}

/* Under a hidden name until it is whole. */
static int make_draft(struct store_run *r, const struct container *c, const char *layer, const char *draft, const struct snapshot *s,
	int lock, struct arena *a, struct nook_error *e)
{
	auto_close int dir = -EBADF;

	dir = TRY(dir_make(draft, 0700, e));
	close_fd(&dir);
	TRY(copy_layer(r, c, layer, arena_printf(a, "%s/" LAYER, draft), lock, a, e));
	dir = open(draft, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, STEP_STATE, draft);
	TRY(bind_save(dir, ABOUT, about_table, s, JSON_PLAIN, 0600, FILE_SYNC, e));
	return syncfs(dir) < 0 ? err_sys(e, STEP_STATE, draft) : 0;
}

/* One snapshot at a time; what a killed one left is cleared. */
static int lock_home(const char *home, struct arena *a, struct nook_error *e)
{
	int made = TRY(dir_make(home, 0700, e));
	const char **names;
	size_t n;

	close_fd(&made);
	auto_close int lock = TRY(data_lock(home, e));

	TRY(names_read(lock, ".", a, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		if (names[i][0] == '.')
			TRY(mounts_tree_remove(arena_printf(a, "%s/%s", home, names[i]), e));
	return take_fd(&lock);
}

int snapshot_create(struct store_run *r, const char *root, const struct container *c, const char *name, struct arena *a,
	const char **ret, struct nook_error *e)
{
	const char *home = snapshot_home(r, root, c->id, a), *layer, *draft;
	struct snapshot s = {.created_ns = clock_date_ns()};
	auto_close int lock = -EBADF;
	int code;

	TRY(find_layer(r, root, c, a, &layer, e));
	lock = TRY(lock_home(home, a, e));
	s.name = name ? name : free_name(home, a);
	TRY(container_id_check(s.name, e));
	draft = arena_printf(a, "%s/.%s.%d", home, s.name, (int)getpid());
	if (access(path_of(r, root, c, s.name, a), F_OK) == 0)
		return err_why(e, STEP_STATE, s.name, EEXIST, "there is a snapshot of this name");
	code = make_draft(r, c, layer, draft, &s, lock, a, e);
	if (code >= 0 && renameat2(AT_FDCWD, draft, AT_FDCWD, path_of(r, root, c, s.name, a), RENAME_NOREPLACE) < 0)
		code = err_sys(e, STEP_STATE, s.name);
	if (code < 0)
		(void)mounts_tree_remove(draft, NULL);
	else
		*ret = s.name;
	return code;
}

static _Thread_local uint64_t measured; /* nftw(3) passes nothing on */

static int measure(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)type, (void)ftw;
	measured += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int by_age(const void *one, const void *other)
{
	const struct snapshot *a = one, *b = other;

	return a->created_ns < b->created_ns ? -1 : a->created_ns > b->created_ns;
}

int snapshot_list(struct store_run *r, const char *root, const struct container *c, struct arena *a, struct snapshot **ret,
	size_t *ret_n, struct nook_error *e)
{
	struct snapshot *list = NULL;
	const char **names;
	size_t n, count = 0;

	TRY(names_read(AT_FDCWD, snapshot_home(r, root, c->id, a), a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		const char *path = path_of(r, root, c, names[i], a);
		struct snapshot s;

		if (names[i][0] == '.' || load_one(path, names[i], a, &s, NULL) < 0)
			continue;
		measured = 0;
		(void)nftw(path, measure, 16, FTW_PHYS | FTW_MOUNT);
		s.bytes = measured;
		*arena_push(a, &list, &count) = s;
	}
	if (count)
		qsort(list, count, sizeof(*list), by_age);
	*ret = list;
	*ret_n = count;
	return 0;
}

/* The names in a layer that are its content: "upper" and "work", or "disk.img". */
static int swap_in(const char *layer, const char *restored, struct arena *a, struct nook_error *e)
{
	static const char *const parts[] = {"upper", DATA_DISK};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *from = arena_printf(a, "%s/%s", restored, parts[i]), *to = arena_printf(a, "%s/%s", layer, parts[i]);

		if (access(from, F_OK) < 0)
			continue;
		/* Each in one step; what was there goes out with the copy. */
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0 &&
			(errno != ENOENT || renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0))
			return err_sys(e, STEP_STATE, to);
	}
	return 0;
}

/* Where it is made: no name in a root is nook's. */
static const char *restored_path(const struct store_run *r, const char *root, const struct container *c, const char *layer, struct arena *a)
{
	if (copied_is_changed(c))
		return arena_printf(a, "%s/.restored.%d", snapshot_home(r, root, c->id, a), (int)getpid());
	return arena_printf(a, "%s/restored", layer);
}

/* The whole directory in one step. */
static int swap_root(const char *copy, const char *restored, struct nook_error *e)
{
	return renameat2(AT_FDCWD, restored, AT_FDCWD, copy, RENAME_EXCHANGE) < 0 ? err_sys(e, STEP_STATE, copy) : 0;
}

int snapshot_restore(struct store_run *r, const char *root, const struct container *c, const char *name, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char *path = path_of(r, root, c, name, a), *layer, *restored;
	auto_close int lock = -EBADF;
	struct snapshot s;
	int code;

	TRY(find_layer(r, root, c, a, &layer, e));
	TRY(load_one(path, name, a, &s, e));
	if (container_status(c) != CONTAINER_STOPPED)
		return err_why(e, STEP_CONTAINER, c->id, EBUSY, "it runs: stop it first");
	lock = TRY(data_lock(layer, e));
	restored = restored_path(r, root, c, layer, a);
	TRY(mounts_tree_remove(restored, e)); /* of one that was cut off */
	code = copy_tree(r, c->id, arena_printf(a, "%s/" LAYER, path), restored, lock, a, e);
	if (code >= 0)
		code = copied_is_changed(c) ? swap_root(layer, restored, e) : swap_in(layer, restored, a, e);
	if (code >= 0)
		return mounts_tree_remove(restored, e);
	(void)mounts_tree_remove(restored, NULL);
	return code;
}

int snapshot_remove(struct store_run *r, const char *root, const struct container *c, const char *name, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char *path = path_of(r, root, c, name, a);
	const char *gone = arena_printf(a, "%s/.%s.gone.%d", snapshot_home(r, root, c->id, a), name, (int)getpid());
	struct snapshot s;

	TRY(load_one(path, name, a, &s, e));
	if (rename(path, gone) < 0)
		return err_sys(e, STEP_STATE, name);
	return mounts_tree_remove(gone, e);
}

/* ---- clones ---------------------------------------------------------------------------------------------------------------------- */

/* A directory that has the container's id for a name: the new one's. */
static const char *path_for(const char *path, const char *old, const char *new, struct arena *a)
{
	char *copy = arena_strdup(a, path), *at = strrchr(copy, '/');

	if (at && text_is(at + 1, old))
		(void)stpcpy(at + 1, new);
	return copy;
}

/* In place: ids have all the same length. */
static void replace_id(char *data, size_t len, const char *old, const char *new, struct arena *a)
{
	static const char *const places[] = {"/layers/", "/unpacked/"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *from = arena_printf(a, "%s%s", places[i], old), *to = arena_printf(a, "%s%s", places[i], new);
		size_t n = strlen(from);
		char *at = data;

		while ((at = memmem(at, len - (size_t)(at - data), from, n)))
			memcpy(at, to, n), at += n;
	}
}

static int clone_plan(struct store_run *r, const struct container *c, int to, const char *old, const char *new, struct arena *a,
	struct nook_error *e)
{
	const struct plan *p = NULL;
	struct plan *copy;

	TRY(plan_load(r, c->id, a, &p, e));
	copy = arena_memdup(a, p, p->size);
	replace_id((char *)copy + copy->data_at, copy->data_len, old, new, a);
	return plan_save(to, copy, e);
}

static int clone_data(struct store_run *r, const char *root, const struct container *c, const struct container *clone, int lock,
	struct arena *a, struct nook_error *e)
{
	const char *layer;

	TRY(find_layer(r, root, c, a, &layer, e));
	for (int kind = 0; kind < DATA_KINDS; kind++) {
		const char *from = data_path(r, root, (enum data_kind)kind, c->id, a), *to = data_path(r, root, (enum data_kind)kind, clone->id, a);

		if (access(from, F_OK) < 0)
			continue;
		if (text_is(from, layer))
			TRY(copy_layer(r, c, from, to, lock, a, e));
		else
			TRY(copy_tree(r, c->id, from, to, lock, a, e));
	}
	return 0;
}

int snapshot_clone(struct store_run *r, const char *root, const struct container *c, const char *name, struct arena *a,
	const char **ret_id, struct nook_error *e)
{
	struct container clone = {.name = name, .source = c->source, .command = c->command, .config = c->config, .exit_status = -1,
		.created_ns = clock_date_ns(), .creating = true, .volumes = c->volumes, .n_volumes = c->n_volumes, .annotations = c->annotations,
		.n_annotations = c->n_annotations};
	const char *layer, *old, *new;
	struct nook_error later = NOOK_ERROR_INIT;
	int dir, code;

	TRY(find_layer(r, root, c, a, &layer, e));
	TRY(container_id_new(a, &clone.id, e));
	old = store_tagged_id(r, c->id, a);
	new = store_tagged_id(r, clone.id, a);
	if (strlen(old) != strlen(new))
		return err_why(e, STEP_CONTAINER, c->id, EINVAL, "its id is not one of nook run's");
	for (size_t i = 0; i < c->n_kept; i++)
		*arena_push(a, &clone.kept, &clone.n_kept) = path_for(c->kept[i], old, new, a);
	clone.rootfs = path_for(c->rootfs, old, new, a);
	clone.supervisor = getpid();
	dir = TRY(container_create(r, &clone, e));
	code = clone_data(r, root, c, &clone, dir, a, e);
	if (code >= 0)
		code = clone_plan(r, c, dir, old, new, a, e);
	clone.creating = false;
	clone.supervisor = 0;
	if (code >= 0)
		code = container_save(dir, &clone, e);
	if (code >= 0)
		code = record_save(dir, &clone, e);
	(void)close(dir);
	if (code < 0) {
		clone.creating = true;
		clone.supervisor = getpid();
		(void)container_remove(r, &clone, REMOVE_FORCE, &later);
		return code;
	}
	*ret_id = clone.id;
	return 0;
}
