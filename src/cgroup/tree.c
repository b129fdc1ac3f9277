/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pausing processes that are in no container.  There is nothing to remember: the groups carry the pid in their name and lie
 * below the groups that their members came from, so that whoever unpauses finds both.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"
#include "sys/pid.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SCAN_ROUNDS = 64, SMALL = 4096 };

struct tree {
	struct arena *arena;
	const char *mount; /* of the hierarchy that freezes */
	bool v2;
	pid_t pid;
	char name[40];     /* of the groups */
	const char **groups;
	size_t n_groups;
};

/* ---- the hierarchy -------------------------------------------------------------------------------------------------- */

static int tree_init(struct tree *t, struct arena *a, pid_t pid, struct nook_error *e)
{
	struct cgroup_layout l;
	int i;

	TRY(cgroup_layout_read(a, AT_FDCWD, &l, e));
	i = l.v2 >= 0 ? l.v2 : cgroup_layout_find(&l, CGROUP_FREEZER);
	if (i < 0 || !l.h[i].mount)
		return err_why(e, STEP_FREEZE, "freezer", EOPNOTSUPP, "neither cgroup v2 nor the freezer controller is mounted");
	*t = (struct tree){.arena = a, .mount = l.h[i].mount, .v2 = l.h[i].v2, .pid = pid};
	(void)snprintf(t->name, sizeof(t->name), "nook-paused-%d", (int)pid);
	return 0;
}

/* The group of a process in the hierarchy that freezes: its directory, or NULL when the process has ended. */
static const char *group_of(struct tree *t, pid_t pid)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char name[40];

	(void)snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	if (file_read(AT_FDCWD, name, SMALL * 16, &text, NULL) < 0)
		return NULL;
	for (const char *p = buf_text(&text); *p;) {
		size_t len = strcspn(p, "\n");
		const char *list = strchr(p, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (path && (t->v2 ? text_after(p, "0::") != NULL : memmem(list, (size_t)(path - list), "freezer", 7) != NULL)) {
			size_t size = len - (size_t)(path + 1 - p);

			/* The top is "/", which adds nothing to the mount's name. */
			return arena_printf(t->arena, "%s%.*s", t->mount, size > 1 ? (int)size : 0, path + 1);
		}
		p += len;
		p += *p == '\n';
	}
	return NULL;
}

/* ---- the processes -------------------------------------------------------------------------------------------------- */

struct link {
	pid_t pid, parent;
};

static pid_t parent_of(pid_t pid)
{
	struct pid_stat st;

	return pid_stat(AT_FDCWD, pid, &st) < 0 ? -1 : st.parent;
}

/* PID and its descendants, without the caller. */
static int scan(struct tree *t, pid_t **ret, size_t *ret_n)
{
	DIR *proc = opendir("/proc");
	struct link *all = NULL;
	pid_t *found = NULL;
	size_t n = 0, n_found = 0;
	struct dirent *entry;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		uint32_t pid;

		if (text_u32(entry->d_name, &pid) == 0)
			*arena_push(t->arena, &all, &n) = (struct link){(pid_t)pid, parent_of((pid_t)pid)};
	}
	(void)closedir(proc);
	*arena_push(t->arena, &found, &n_found) = t->pid;
	for (size_t i = 0; i < n_found; i++)
		for (size_t k = 0; k < n; k++)
			if (all[k].parent == found[i] && all[k].pid != getpid())
				*arena_push(t->arena, &found, &n_found) = all[k].pid;
	*ret = found;
	*ret_n = n_found;
	return 0;
}

static bool is_paused_group(const struct tree *t, const char *group)
{
	const char *last = strrchr(group, '/');

	return last && text_is(last + 1, t->name);
}

static int remember(struct tree *t, const char *group, struct nook_error *e)
{
	for (size_t i = 0; i < t->n_groups; i++)
		if (text_is(t->groups[i], group))
			return 0;
	if (mkdir(group, 0755) < 0)
		return errno == EEXIST ? err_why(e, STEP_FREEZE, group, EBUSY, "the process is paused already")
		                       : err_sys(e, STEP_FREEZE, group);
	*arena_push(t->arena, &t->groups, &t->n_groups) = group;
	return 0;
}

static int move(const char *group, pid_t pid)
{
	char text[16];
	auto_close int dir = open(group, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	r = dir < 0 ? -errno : file_write(dir, "cgroup.procs", text, STEP_FREEZE, NULL);
	return r == -ESRCH ? 0 : r;
}

/* Moves each process that is not there yet into its paused group; how many there were. */
static int move_round(struct tree *t, struct nook_error *e)
{
	pid_t *pids = NULL;
	size_t n = 0;
	int moved = 0, r = scan(t, &pids, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *from = group_of(t, pids[i]), *to;

		if (!from && i == 0)
			return err_num(e, STEP_FREEZE, t->name, ESRCH);
		if (!from || is_paused_group(t, from))
			continue;
		to = arena_printf(t->arena, "%s/%s", from, t->name);
		TRY(remember(t, to, e));
		r = move(to, pids[i]);
		moved++;
	}
	return r < 0 ? err_num(e, STEP_FREEZE, t->name, r) : moved;
}

/* ---- back ----------------------------------------------------------------------------------------------------------- */

static int put_back(struct tree *t, const char *group)
{
	const struct cgroup c = {.dirs = &group, .n = 1};
	char *parent = arena_strndup(t->arena, group, (size_t)(strrchr(group, '/') - group));
	pid_t *pids = NULL;
	int n, r = cgroup_thaw(&c, NULL);

	for (int round = 0; round < SCAN_ROUNDS; round++) {
		n = cgroup_pids(t->arena, &c, &pids, NULL);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			int one = move(parent, pids[i]);

			r = r < 0 ? r : one;
		}
	}
	if (r >= 0)
		r = cgroup_remove(&c, NULL);
	return r;
}

static int put_all_back(struct tree *t)
{
	int r = 0;

	for (size_t i = t->n_groups; i > 0; i--) {
		int one = put_back(t, t->groups[i - 1]);

		r = r < 0 ? r : one;
	}
	return r;
}

static int move_all(struct tree *t, struct nook_error *e)
{
	for (int round = 0; round < SCAN_ROUNDS; round++)
		if (TRY(move_round(t, e)) == 0)
			return 0;
	return err_why(e, STEP_FREEZE, t->name, EBUSY, "the processes fork faster than they can be moved");
}

static int freeze_all(struct tree *t, int timeout_ms, struct nook_error *e)
{
	TRY(move_all(t, e));
	for (size_t i = 0; i < t->n_groups; i++) {
		const struct cgroup c = {.dirs = &t->groups[i], .n = 1};

		TRY(cgroup_freeze(&c, timeout_ms, e));
	}
	return 0;
}

/* A signal between moving and freezing must not leave half of it behind. */
static void block_signals(sigset_t *old)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigprocmask(SIG_BLOCK, &set, old);
}

int cgroup_pause_tree(pid_t pid, int timeout_ms, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct tree t;
	const char *group;
	sigset_t old;
	int r;

	if (pid <= 1 || pid == getpid())
		return err_why(e, STEP_FREEZE, pid == 1 ? "pid 1" : "pid", EINVAL, "that process cannot be paused");
	TRY(tree_init(&t, a, pid, e));
	group = group_of(&t, pid);
	if (group && is_paused_group(&t, group))
		return err_why(e, STEP_FREEZE, t.name, EBUSY, "the process is paused already");
	block_signals(&old);
	r = freeze_all(&t, timeout_ms, e);
	if (r < 0)
		(void)put_all_back(&t);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static int find_group(int parent, const char *name, int dir, void *context)
{
	struct tree *t = context;
	char path[PATH_MAX];

	(void)parent;
	if (!text_is(name, t->name))
		return 0;
	TRY(fd_real_path(dir, path, sizeof(path)));
	*arena_push(t->arena, &t->groups, &t->n_groups) = arena_strdup(t->arena, path);
	return 0;
}

int cgroup_unpause_tree(pid_t pid, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct tree t;
	sigset_t old;
	int r;

	TRY(tree_init(&t, a, pid, e));
	auto_close int top = TRY(cgroup_dir_open(t.mount, e));

	r = cgroup_walk(top, find_group, &t);
	if (r < 0)
		return err_num(e, STEP_FREEZE, t.mount, r);
	if (!t.n_groups)
		return err_why(e, STEP_FREEZE, t.name, ENOENT, "the process was not paused by nook pause --pid");
	block_signals(&old);
	r = put_all_back(&t);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? err_num(e, STEP_FREEZE, t.name, r) : 0;
}
