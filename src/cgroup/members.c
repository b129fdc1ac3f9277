/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is in a group, who joins it, and signals to all of them. */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

enum { DEPTH_MAX = 64, PIDS_TEXT_MAX = 64 * 1024 * 1024, KILL_ROUNDS = 64 };

static int walk(int parent, const char *name, int depth, int (*each)(int, const char *, int, void *), void *context)
{
	auto_close int dir = openat(parent, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!stream) {
		r = -errno;
		if (copy >= 0)
			(void)close(copy);
		/* Somebody else removed it: then there is nothing to visit. */
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	}
	if (depth > DEPTH_MAX)
		r = -ELOOP;
	while (r >= 0 && (entry = readdir(stream)))
		if (entry->d_type == DT_DIR && !text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
			r = walk(dir, entry->d_name, depth + 1, each, context);
	(void)closedir(stream);
	return r < 0 ? r : each(parent, name, dir, context);
}

int cgroup_walk(int dir, int (*each)(int parent, const char *name, int dir, void *context), void *context)
{
	return walk(dir, "", 0, each, context);
}

/* ---- which directory ------------------------------------------------------------------------------------------------ */

int cgroup_open_freezer(const struct cgroup *c, bool *ret_v2)
{
	auto_close int v1 = -EBADF;

	/* From the end, where the v2 group usually stands. */
	for (size_t i = c->n; i-- > 0;) {
		auto_close int dir = cgroup_dir_open(c->dirs[i], NULL);

		if (dir < 0)
			continue;
		if (faccessat(dir, "cgroup.freeze", F_OK, 0) == 0) {
			*ret_v2 = true;
			return take_fd(&dir);
		}
		if (v1 < 0 && faccessat(dir, "freezer.state", F_OK, 0) == 0)
			v1 = take_fd(&dir);
	}
	*ret_v2 = false;
	return v1 < 0 ? -ENOENT : take_fd(&v1);
}

int cgroup_open_main(const struct cgroup *c)
{
	bool v2;
	int dir = cgroup_open_freezer(c, &v2);

	for (size_t i = 0; dir < 0 && i < c->n; i++)
		dir = cgroup_dir_open(c->dirs[i], NULL);
	return dir < 0 ? -ENOENT : dir;
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

int cgroup_read_pids(struct arena *a, int dir, pid_t **pids, size_t *n)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r = file_read(dir, "cgroup.procs", PIDS_TEXT_MAX, &text, NULL);

	/* A threaded group has no processes of its own: the group it belongs to lists them. */
	if (r == -EOPNOTSUPP || r == -ENODEV || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (const char *p = buf_text(&text); *p;) {
		pid_t pid = (pid_t)strtol(p, NULL, 10);

		/* 0: a process that this pid namespace does not see. */
		if (pid > 0)
			*arena_push(a, pids, n) = pid;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return 0;
}

struct pid_list {
	struct arena *arena;
	pid_t *pids;
	size_t n;
};

static int add_pids(int parent, const char *name, int dir, void *context)
{
	struct pid_list *list = context;

	(void)parent;
	(void)name;
	return cgroup_read_pids(list->arena, dir, &list->pids, &list->n);
}

static const char *name_of(const struct cgroup *c)
{
	return c->n ? c->dirs[0] : "";
}

int cgroup_pids(struct arena *a, const struct cgroup *c, pid_t **ret, struct nook_error *e)
{
	struct pid_list list = {.arena = a};
	auto_close int dir = cgroup_open_main(c);
	int r = dir < 0 ? 0 : cgroup_walk(dir, add_pids, &list);

	if (r < 0)
		return err_num(e, STEP_CGROUP, name_of(c), r);
	*ret = list.pids;
	return (int)list.n;
}

int cgroup_attach(const struct cgroup *c, pid_t pid, struct nook_error *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < c->n; i++) {
		auto_close int dir = TRY(cgroup_dir_open(c->dirs[i], e));
		auto_close int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			return err_sys(e, STEP_CGROUP, c->dirs[i]);
	}
	return 0;
}

/* ---- signals -------------------------------------------------------------------------------------------------------- */

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
	struct pid_list first = {.arena = a}, second = {.arena = a};
	int r = cgroup_walk(dir, add_pids, &first), sent = 0;
	int *fds;

	if (r < 0)
		return r;
	fds = arena_new_n(a, int, first.n);
	for (size_t i = 0; i < first.n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, first.pids[i], 0);
	r = cgroup_walk(dir, add_pids, &second);
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

	(void)cgroup_freeze(c, 1000, NULL);
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
	return r < 0 ? err_num(e, STEP_SIGNAL, name_of(c), r) : 0;
}
