/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a container goes, whatever was left of it.  Under the lock of its directory, in this order:
 *
 *     processes   SIGKILL to init and to every process in its groups, then wait for the kernel's event
 *     cgroups     nothing can be in them any more
 *     rdt         its classes of cache and memory bandwidth
 *     paths       throw-away layers and unpacked roots, with what is mounted below
 *     id range    no process and no file uses it any more
 *     name, state, directory
 *
 * Each step is fine with finding its work done.  The first failure ends the removal; the state stays and names what is
 * left, so the next one goes on from there.
 */
#include "runtime/store.h"

#include "base/names.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "cgroup/systemd.h"
#include "runtime/idrange.h"
#include "runtime/mounts.h"
#include "runtime/record.h"
#include "sys/pid.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>

/* A process that does not end within this time after SIGKILL sits in the kernel (state D). */
enum { KILL_WAIT_MS = 10000, PIDS_NAMED_MAX = 8 };

/* ---- processes and groups ---------------------------------------------------------------------------------------- */

/* Which are still there: "12 cat (D), 34 dd (D)". */
static int stuck(const struct container *c, const struct cgroup *g, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	AUTO(arena_free) struct arena *a = arena_new();
	pid_t *pids = NULL;
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int n = g->n ? cgroup_pids(a, g, &pids, NULL) : 0;
	struct pid_stat st;

	if (n <= 0) {
		pids = arena_memdup(a, &c->pid, sizeof(c->pid));
		n = c->pid ? 1 : 0;
	}
	for (int i = 0; i < n && i < PIDS_NAMED_MAX; i++)
		if (pid_stat(proc, pids[i], &st) == 0)
			buf_addf(&text, "%s%d %s (%c)", text.len ? ", " : "", (int)pids[i], st.comm, st.state);
	return err_fmt(e, STEP_CONTAINER, c->id, ETIMEDOUT, "%d s after SIGKILL processes are still there: %s%s", KILL_WAIT_MS / 1000,
	               buf_text(&text), n > PIDS_NAMED_MAX ? ", ..." : "");
}

static int kill_init(const struct container *c, const struct cgroup *g, struct nook_error *e)
{
	auto_close int pidfd = container_pidfd(c, NULL);
	int r;

	if (pidfd < 0)
		return 0;
	r = pid_signal(pidfd, SIGKILL, e);
	if (r < 0 && r != -ESRCH)
		return r;
	/* A frozen group must be thawed before the signal is seen. */
	if (g->n)
		TRY(cgroup_signal(g, SIGKILL, e));
	r = pid_wait_end(pidfd, KILL_WAIT_MS, e);
	return r == -ETIMEDOUT ? stuck(c, g, e) : r;
}

/* Leaves in G only the groups that one rmdir(2) did not remove: usually none. */
static void remove_empty(struct cgroup *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++)
		if (g->dirs[i][0] != '/' || (rmdir(g->dirs[i]) < 0 && errno != ENOENT))
			g->dirs[kept++] = g->dirs[i];
	g->n = kept;
}

/* systemd ends a scope whose last process has gone, and removes its groups.  Without systemd, or when it does not answer,
 * the groups are removed as any others. */
static int remove_unit(const struct container *c, const struct cgroup *g, struct nook_error *e)
{
	AUTO_VALUE(dbus_close) struct dbus bus = DBUS_INIT;

	if (!c->unit || !c->unit[0])
		return 0;
	if (g->n)
		TRY(cgroup_signal(g, SIGKILL, e));
	if (dbus_open(&bus, c->user_unit ? DBUS_USER : DBUS_SYSTEM, NULL) == 0)
		(void)systemd_stop(&bus, c->unit, NULL);
	return 0;
}

static int remove_cgroups(struct cgroup *g, struct nook_error *e)
{
	remove_empty(g);
	if (!g->n)
		return 0;
	TRY(cgroup_signal(g, SIGKILL, e));
	return cgroup_remove(g, e);
}

/* A group below the scope, in a v1 hierarchy that systemd does not keep: the scope's is ours, too. */
static void remove_scope(const struct container *c)
{
	for (size_t i = 0; c->unit && c->unit[0] && i < c->n_cgroups; i++) {
		AUTO_VALUE(buf_done) struct buf scope = {0};
		char *slash;

		buf_addf(&scope, "%s", c->cgroups[i]);
		slash = strrchr(buf_text(&scope), '/');
		if (!slash)
			continue;
		*slash = 0;
		slash = strrchr(scope.data, '/');
		if (slash && text_is(slash + 1, c->unit))
			(void)rmdir(scope.data);
	}
}

/* A monitoring group before the class that it is in; members that are left fall back to the default class. */
static int remove_rdt(const struct container *c, struct nook_error *e)
{
	for (size_t i = c->n_rdt; i-- > 0;)
		if (rmdir(c->rdt[i]) < 0 && errno != ENOENT)
			return err_sys(e, STEP_LIMIT, c->rdt[i]);
	return 0;
}

/* ---- the id range -------------------------------------------------------------------------------------------------- */

/* A start that was killed may have taken a range that its state does not tell yet: RUN/ids says whose each one is. */
static int release_unsaved_range(struct store_run *r, const char *id, struct arena *a, struct nook_error *e)
{
	const char **names;
	uint32_t base = 0;
	size_t n;

	TRY(names_read(r->fd, "ids", a, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		if (text_u32(names[i], &base) == 0)
			TRY(idrange_release(r->fd, id, base, e));
	return 0;
}

static int release_range(struct store_run *r, const struct container *c, struct arena *a, struct nook_error *e)
{
	if (c->range_base)
		return idrange_release(r->fd, c->id, c->range_base, e);
	return c->creating ? release_unsaved_range(r, c->id, a, e) : 0;
}

/* ---- paths -------------------------------------------------------------------------------------------------------- */

/* A killed start may have left a helper that is just filling the directory and just dying: it has a lock on it. */
static int wait_for_writer(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return fd;
}

static int remove_paths(const struct container *c, struct nook_error *e)
{
	for (size_t i = 0; i < c->n_paths; i++) {
		auto_close int lock = c->creating ? wait_for_writer(c->paths[i]) : -EBADF;

		TRY(mounts_tree_remove(c->paths[i], e));
	}
	return 0;
}

/* What other commands may use as well: a layer from which another container runs. */
static int remove_kept(const struct container *c, struct nook_error *e)
{
	for (size_t i = 0; i < c->n_kept; i++) {
		auto_close int lock = c->creating ? wait_for_writer(c->kept[i])
		                                  : open(c->kept[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
			return err_why(e, STEP_CONTAINER, c->id, EBUSY, "another command uses what it keeps");
		TRY(mounts_tree_remove(c->kept[i], e));
	}
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------- */

static int undo(struct store_run *r, const struct container *c, struct arena *a, struct nook_error *e)
{
	struct cgroup g = {0};

	container_cgroup(c, a, &g);
	TRY(kill_init(c, &g, e));
	TRY(remove_unit(c, &g, e));
	TRY(remove_cgroups(&g, e));
	remove_scope(c);
	TRY(remove_rdt(c, e));
	TRY(remove_paths(c, e));
	return release_range(r, c, a, e);
}

static int check_idle(const struct container *c, struct nook_error *e)
{
	enum container_status status = container_status(c);

	if (status == CONTAINER_CREATING && c->supervisor != getpid())
		return err_fmt(e, STEP_CONTAINER, c->id, EBUSY, "process %d is just creating it", (int)c->supervisor);
	if (status == CONTAINER_CREATING || status == CONTAINER_STOPPED || container_is_orphan(c))
		return 0;
	return err_fmt(e, STEP_CONTAINER, c->id, EBUSY, "it is %s: stop it first, or remove it by force",
	               container_status_names[status]);
}

/* By force, what still works on a start is killed: its creator, or what that one left when it died. */
static int stop_start(const struct container *c, struct arena *a, struct nook_error *e)
{
	struct container creator = {.id = c->id, .pid = c->supervisor, .pid_start = c->supervisor_start};
	auto_close int pidfd = container_pidfd(&creator, NULL);
	struct cgroup g;

	if (pidfd >= 0)
		(void)pid_signal(pidfd, SIGKILL, NULL); /* it may just end */
	container_cgroup(c, a, &g);
	return g.n ? cgroup_signal(&g, SIGKILL, e) : 0;
}

/* Who holds the lock is creating the container or removing it.  A remover is waited for. */
static int lock_anyhow(struct store_run *r, const struct container *c, enum remove_mode mode, struct arena *a, struct nook_error *e)
{
	int dir = container_trylock(r, c->id, e);

	if (dir != -EWOULDBLOCK)
		return dir;
	if (c->creating && c->supervisor != getpid()) {
		if (mode != REMOVE_STOPPED)
			TRY(stop_start(c, a, e));
		else
			TRY(check_idle(c, e));
	}
	return container_lock(r, c->id, e);
}

/* The supervisor alone writes the state while it lives, so what it holds is the newest; others read it again. */
static void refresh(int dir, const struct container *c, enum remove_mode mode, struct arena *a, struct container *ret)
{
	*ret = *c;
	if (mode == REMOVE_OWN || c->supervisor == getpid()) {
		state_add_groups(dir, STORE_GROUPS, a, ret);
		return;
	}
	if (state_load(dir, STORE_STATE, c->id, a, ret) == -ENOENT)
		*ret = (struct container){.id = c->id, .name = "", .creating = true, .exit_status = -1};
}

int container_remove(struct store_run *r, const struct container *c, enum remove_mode mode, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int dir = lock_anyhow(r, c, mode, a, e);
	struct container now;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	refresh(dir, c, mode, a, &now);
	if (mode == REMOVE_STOPPED)
		TRY(check_idle(&now, e));
	TRY(undo(r, &now, a, e));
	TRY(remove_kept(&now, e));
	if (now.name && now.name[0])
		TRY(store_name_drop(r, now.name, now.id, e));
	return store_entry_remove(r, now.id, dir, e);
}

int container_finish(struct store_run *r, const struct container *c, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int dir = container_lock(r, c->id, e);
	struct container now;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	refresh(dir, c, REMOVE_STOPPED, a, &now);
	TRY(check_idle(&now, e));
	TRY(undo(r, &now, a, e));
	now.creating = false;
	now.pid = now.supervisor = 0;
	now.pid_start = now.supervisor_start = 0;
	now.range_base = 0;
	now.unit = "";
	now.cgroups = now.paths = now.rdt = NULL;
	now.n_cgroups = now.n_paths = now.n_rdt = 0;
	if (unlinkat(dir, STORE_GROUPS, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_STATE, STORE_GROUPS);
	if (!now.finished_ns) {
		struct timespec ts;

		(void)clock_gettime(CLOCK_REALTIME, &ts);
		now.finished_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	}
	TRY(container_save(dir, &now, e));
	return record_save(dir, &now, e);
}
