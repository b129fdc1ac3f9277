/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/store.h"

#include "base/fd.h"
#include "base/text.h"
#include "runtime/mounts.h"
#include "runtime/plan_file.h"
#include "sys/pid.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int runtime_open(const char *run, struct arena *a, struct store_run **ret, struct nook_error *e)
{
	struct store_run *r = arena_new_of(a, struct store_run);

	r->fd = dir_make(run, 0700, NULL);
	if (r->fd < 0)
		return err_num(e, STEP_STATE, run, r->fd);
	r->path = arena_strdup(a, run);
	*ret = r;
	return 0;
}

void runtime_close(struct store_run *r)
{
	if (r)
		close_fd(&r->fd);
}

int runtime_fd(const struct store_run *r)
{
	return r->fd;
}

static void path_join(char *path, const char *dir, const char *name)
{
	(void)snprintf(path, STORE_PATH_MAX, "%s/%s", dir, name);
}

const char *store_tagged_id(const struct store_run *r, const char *id, struct arena *a)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	if (text_is(r->path, "/run/nook"))
		return arena_strdup(a, id);
	for (const char *p = r->path; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return arena_printf(a, "%s@%08x", id, (unsigned)(hash ^ hash >> 32));
}

/* ---- the directory of a container ---------------------------------------------------------------------------------- */

/* Waits for the lock (or not: LOCK_NB) of directory ID.  -ENOENT when the directory went away meanwhile. */
static int entry_open(struct store_run *r, const char *id, int operation, struct nook_error *e)
{
	char path[STORE_PATH_MAX];

	path_join(path, STORE_CONTAINERS, id);
	auto_close int dir = openat(r->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, STEP_STATE, id);
	while (flock(dir, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return -EWOULDBLOCK;
		if (errno != EINTR)
			return err_sys(e, STEP_LOCK, id);
	}
	return take_fd(&dir);
}

static int entry_lock(struct store_run *r, const char *id, int operation, struct nook_error *e)
{
	TRY(container_id_check(id, e));
	for (;;) {
		auto_close int dir = entry_open(r, id, operation, e);
		struct stat st;

		if (dir == -ENOENT)
			return err_why(e, STEP_CONTAINER, id, ENOENT, "no such container");
		if (dir < 0)
			return dir;
		if (fstat(dir, &st) < 0)
			return err_sys(e, STEP_STATE, id);
		/* What was locked may have been removed while waiting; another may have taken its place. */
		if (st.st_nlink > 0)
			return take_fd(&dir);
	}
}

int container_lock(struct store_run *r, const char *id, struct nook_error *e)
{
	return entry_lock(r, id, LOCK_EX, e);
}

/* Is the caller a hook of its start, or what that one called? */
static bool is_waited_for(const struct container *c)
{
	struct pid_stat st;

	for (pid_t pid = getppid(); pid > 1 && pid_stat(AT_FDCWD, pid, &st) == 0; pid = st.parent)
		if (pid == c->supervisor && st.start == c->supervisor_start)
			return true;
	return false;
}

int container_settle(struct store_run *r, const struct container *c, struct nook_error *e)
{
	if (c->creating)
		return err_why(e, STEP_CONTAINER, c->id, ESRCH, "it is not running");
	/* Who does not stay beside it is named in the state until it has left the host's files. */
	if (!c->supervisor)
		return 0;
	auto_close int lock = entry_lock(r, c->id, LOCK_SH | LOCK_NB, e);

	if (lock == -EWOULDBLOCK && is_waited_for(c))
		return err_why(e, STEP_CONTAINER, c->id, EDEADLK, "it goes on to start when this has ended");
	if (lock == -EWOULDBLOCK)
		lock = entry_lock(r, c->id, LOCK_SH, e);
	return lock < 0 ? lock : 0;
}

int container_trylock(struct store_run *r, const char *id, struct nook_error *e)
{
	return entry_lock(r, id, LOCK_EX | LOCK_NB, e);
}

/* mkdir(2) of RUN/DIR/ID or such; RUN/DIR is made when it is the first. */
static int make_below(struct store_run *r, const char *dir, const char *path)
{
	if (mkdirat(r->fd, path, 0700) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (mkdirat(r->fd, dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return mkdirat(r->fd, path, 0700) < 0 ? -errno : 0;
}

int store_entry_make(struct store_run *r, const char *id, struct nook_error *e)
{
	char path[STORE_PATH_MAX];
	int n, dir;

	path_join(path, STORE_CONTAINERS, id);
	for (;;) {
		n = make_below(r, STORE_CONTAINERS, path);

		if (n == -EEXIST)
			return err_why(e, STEP_CONTAINER, id, EEXIST, "there is a container with this id already");
		if (n < 0)
			return err_num(e, STEP_STATE, path, n);
		/* Between mkdir(2) and the lock a repair may take the empty directory for a left-over: then once more.
		 * Whether it did shows when the state is written. */
		dir = entry_open(r, id, LOCK_EX, e);
		if (dir >= 0)
			return dir;
		if (dir != -ENOENT) {
			(void)unlinkat(r->fd, path, AT_REMOVEDIR);
			return dir;
		}
	}
}

int store_entry_remove(struct store_run *r, const char *id, int dir, struct nook_error *e)
{
	char path[STORE_PATH_MAX];

	path_join(path, STORE_CONTAINERS, id);
	/* The plan first: what a state names can still be undone without it. */
	if ((unlinkat(dir, PLAN_FILE, 0) < 0 && errno != ENOENT) || (unlinkat(dir, STORE_STATE, 0) < 0 && errno != ENOENT))
		return err_sys(e, STEP_STATE, id);
	if (unlinkat(r->fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EBUSY)
		return err_sys(e, STEP_STATE, path);
	auto_free char *full = xasprintf("%s/%s", r->path, path);

	return mounts_tree_remove(full, e);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

int store_name_find(struct store_run *r, const char *name, char *id)
{
	char path[STORE_PATH_MAX];
	ssize_t n;

	path_join(path, STORE_NAMES, name);
	n = readlinkat(r->fd, path, id, CONTAINER_ID_MAX + 1);
	if (n < 0)
		return -errno;
	if (n > CONTAINER_ID_MAX)
		return -ENOENT;
	id[n] = 0;
	return container_id_check(id, NULL) < 0 ? -ENOENT : 0;
}

bool store_entry_exists(const struct store_run *r, const char *id)
{
	char path[STORE_PATH_MAX];

	path_join(path, STORE_CONTAINERS, id);
	return faccessat(r->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int name_link(struct store_run *r, const char *path, const char *id)
{
	if (symlinkat(id, r->fd, path) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (mkdirat(r->fd, STORE_NAMES, 0700) < 0 && errno != EEXIST)
		return -errno;
	return symlinkat(id, r->fd, path) < 0 ? -errno : 0;
}

/*
 * A name is given back before the container's directory goes, by the one who holds that directory's lock.  So once the
 * directory is seen missing and the name still leads to it, nobody else is about to remove the name but another sweep,
 * and sweeps exclude each other by the lock of RUN/names.
 */
int store_name_sweep(struct store_run *r, const char *name, enum stale_mode mode, struct nook_error *e)
{
	char path[STORE_PATH_MAX], id[CONTAINER_ID_MAX + 1], again[CONTAINER_ID_MAX + 1];
	auto_close int lock = openat(r->fd, STORE_NAMES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (lock < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_LOCK, STORE_NAMES);
	while (flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, STEP_LOCK, STORE_NAMES);
	if (store_name_find(r, name, id) < 0 || store_entry_exists(r, id))
		return 0;
	if (store_name_find(r, name, again) < 0 || strcmp(id, again) != 0)
		return 0;
	path_join(path, STORE_NAMES, name);
	if (mode == STALE_REMOVE && unlinkat(r->fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_STATE, path);
	return 1;
}

int store_name_take(struct store_run *r, const char *name, const char *id, struct nook_error *e)
{
	char path[STORE_PATH_MAX], owner[CONTAINER_ID_MAX + 1] = "";
	int n;

	TRY(container_id_check(name, e));
	path_join(path, STORE_NAMES, name);
	n = name_link(r, path, id);
	if (n == -EEXIST && TRY(store_name_sweep(r, name, STALE_REMOVE, e)))
		n = name_link(r, path, id);
	if (n == -EEXIST) {
		(void)store_name_find(r, name, owner);
		return err_fmt(e, STEP_CONTAINER, name, EEXIST, "the name is in use by container %s", owner[0] ? owner : "(unknown)");
	}
	return n < 0 ? err_num(e, STEP_STATE, path, n) : 0;
}

int store_name_drop(struct store_run *r, const char *name, const char *id, struct nook_error *e)
{
	char path[STORE_PATH_MAX], owner[CONTAINER_ID_MAX + 1];

	if (store_name_find(r, name, owner) < 0 || strcmp(owner, id) != 0)
		return 0;
	path_join(path, STORE_NAMES, name);
	if (unlinkat(r->fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_STATE, path);
	return 0;
}
