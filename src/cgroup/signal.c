/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals to all processes of a group. */
#include "base/fd.h"
#include "cgroup/dir.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

enum { KILL_ROUNDS = 64, FREEZE_MS = 1000 };

static bool contains(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Signals all members and returns how many there were.  A pid is held by pidfd before it is looked for a second time, so
 * that one which was given to a stranger meanwhile is not hit. */
static int signal_members(int dir, int sig)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct cgroup_pid_list first = {.arena = a}, second = {.arena = a};
	int r = cgroup_list_pids(dir, &first), sent = 0;
	int *fds;

	if (r < 0)
		return r;
	fds = arena_new_n(a, int, first.n);
	for (size_t i = 0; i < first.n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, first.pids[i], 0);
	r = cgroup_list_pids(dir, &second);
	for (size_t i = 0; i < first.n; i++) {
		if (fds[i] < 0)
			continue;
		if (r >= 0 && contains(second.pids, second.n, first.pids[i])) {
			if (syscall(SYS_pidfd_send_signal, fds[i], sig, NULL, 0) == 0)
				sent++;
			else if (errno != ESRCH)
				r = -errno;
		}
		(void)close(fds[i]);
	}
	return r < 0 ? r : sent;
}

static int thaw_v1(int parent, const char *name, int dir, void *context)
{
	(void)parent;
	(void)name;
	(void)context;
	(void)file_write(dir, "freezer.state", "THAWED", STEP_FREEZE, NULL);
	return 0;
}

/* Nothing can be forked while it is frozen, so that one round of signals reaches all; they die when they are thawed. */
static int kill_frozen(const struct cgroup *c, int dir, bool v2)
{
	int r;

	(void)cgroup_freeze(c, FREEZE_MS, NULL);
	r = signal_members(dir, SIGKILL);
	if (v2)
		(void)cgroup_thaw(c, NULL);
	else
		(void)cgroup_walk(dir, thaw_v1, NULL); /* sub-groups that were frozen on their own, too */
	return r;
}

static int kill_all(const struct cgroup *c)
{
	bool v2 = false;
	auto_close int freezer = cgroup_open_freezer(c, &v2);
	auto_close int dir = -EBADF;
	int r = 0;

	if (freezer >= 0 && v2) {
		r = file_write(freezer, "cgroup.kill", "1", STEP_SIGNAL, NULL);
		if (r != -ENOENT)
			return r;
	}
	if (freezer >= 0) {
		r = kill_frozen(c, freezer, v2);
		return r < 0 ? r : 0;
	}
	/* No freezer: forks may outrun one round. */
	dir = cgroup_open_main(c);
	for (int round = 0; dir >= 0 && round < KILL_ROUNDS; round++) {
		r = signal_members(dir, SIGKILL);
		if (r <= 0)
			break;
	}
	return r < 0 ? r : 0;
}

int cgroup_signal(const struct cgroup *c, int sig, struct nook_error *e)
{
	int r;

	if (sig == SIGKILL) {
		r = kill_all(c);
	} else {
		auto_close int dir = cgroup_open_main(c);

		r = dir < 0 ? 0 : signal_members(dir, sig);
	}
	/* ENODEV: somebody else (systemd) removed the group just now, so there is nobody in it. */
	return r < 0 && r != -ENODEV ? err_num(e, STEP_SIGNAL, c->n ? c->dirs[0] : "", r) : 0;
}
