/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing groups.  A group can be removed when its last process has ended: v2 tells that as an event (cgroup.events), on
 * v1 the processes that are left are waited for by pidfd.  Nothing is killed here.
 *
 * A hierarchy that nook mounted for a container (see cgroup_want.path) ends when it is unmounted without groups; the
 * kernel counts a removed one until some RCU grace periods later, and a hierarchy unmounted before that lives on.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"

#include <linux/membarrier.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

enum { REMOVE_MS = 5000, RELEASE_ROUNDS = 64, PIDS_NAMED = 8 };

static int remove_one(int parent, const char *name, int dir, void *context)
{
	(void)dir;
	(void)context;
	if (!*name || unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV)
		return 0;
	return -errno;
}

/* PARENT/NAME with what is below. */
static int remove_tree(int parent, const char *name)
{
	int r;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	r = cgroup_walk(dir, remove_one, NULL);
	return r < 0 ? r : remove_one(parent, name, -1, NULL);
}

/* Waits until the group has no process (1), one of them ended (0), or TIMEOUT_MS passed. */
static int wait_v1(int dir, int timeout_ms)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct cgroup_pid_list list = {.arena = a};
	auto_close int pid = -EBADF;
	struct pollfd p = {.events = POLLIN};
	int r = cgroup_list_pids(dir, &list);

	if (r < 0 || !list.n)
		return r;
	pid = (int)syscall(SYS_pidfd_open, list.pids[0], 0);
	if (pid < 0)
		return errno == ESRCH ? 0 : -errno;
	p.fd = pid;
	r = poll(&p, 1, timeout_ms);
	if (r == 0)
		return -ETIMEDOUT;
	return r < 0 && errno != EINTR ? -errno : 0;
}

static int wait_v2(int dir, int timeout_ms)
{
	auto_close int events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = {.fd = events, .events = POLLPRI};
	char text[256];
	ssize_t n = events < 0 ? -errno : pread(events, text, sizeof(text) - 1, 0);
	int r;

	if (n < 0)
		return n == -ENOENT || n == -ENODEV ? 0 : (int)n;
	text[n] = 0;
	if (strstr(text, "populated 0"))
		return 0;
	r = poll(&p, 1, timeout_ms);
	if (r == 0)
		return -ETIMEDOUT;
	return r < 0 && errno != EINTR ? -errno : 0;
}

/* The error that names who is in the way. */
static int still_busy(int dir, const char *path, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf who = {0};
	struct cgroup_pid_list list = {.arena = a};

	(void)cgroup_list_pids(dir, &list);
	for (size_t i = 0; i < list.n && i < PIDS_NAMED; i++)
		buf_addf(&who, " %d", (int)list.pids[i]);
	return err_fmt(e, STEP_CGROUP, path, EBUSY, "processes in it have not ended:%s%s", list.n ? buf_text(&who) : " (not visible here)",
	               list.n > PIDS_NAMED ? " ..." : "");
}

static int remove_waiting(int parent, const char *name, const char *path, int64_t end, struct nook_error *e)
{
	for (;;) {
		int r = remove_tree(parent, name);

		if (r != -EBUSY)
			return r < 0 ? err_num(e, STEP_CGROUP, path, r) : 0;
		auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int left = (int)(end - clock_ms());

		if (dir < 0)
			continue;
		if (left <= 0)
			return still_busy(dir, path, e);
		r = cgroup_dir_is_v2(dir) ? wait_v2(dir, left) : wait_v1(dir, left);
		if (r == -ETIMEDOUT)
			return still_busy(dir, path, e);
		if (r < 0)
			return err_num(e, STEP_CGROUP, path, r);
	}
}

/* ---- hierarchies that nook mounted ---------------------------------------------------------------------------------- */

/* The hierarchy number of a controller and how many groups, dying ones too, it has with its top. */
static int read_hierarchy(const char *list, long *ret_number, long *ret_groups)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	size_t len = strcspn(list, ",:");

	TRY(file_read(AT_FDCWD, "/proc/cgroups", 64 * 1024, &text, NULL));
	for (const char *p = buf_text(&text); *p;) {
		if (strncmp(p, list, len) == 0 && p[len] == '\t') {
			char *end;

			*ret_number = strtol(p + len, &end, 10);
			*ret_groups = strtol(end, &end, 10);
			return 0;
		}
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return -ENOENT;
}

static int count_groups(int parent, const char *name, int dir, void *context)
{
	(void)parent;
	(void)dir;
	*(long *)context += *name != 0;
	return 0;
}

static bool grace_period(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

/* Waits, bounded, until what was removed is gone, then closes the last descriptor and waits until the hierarchy is. */
static void release(int *top, const char *path)
{
	long number = 0, groups = 0;

	if (cgroup_walk(*top, count_groups, &groups) < 0 || groups) {
		close_fd(top);
		return;
	}
	for (int round = 0; round < RELEASE_ROUNDS; round++) {
		if (read_hierarchy(path, &number, &groups) < 0 || number == 0)
			break;
		if (groups <= 1)
			close_fd(top);
		if (!grace_period())
			break;
	}
	close_fd(top);
}

/* Removes the group and returns the descriptor of its hierarchy's top. */
static int remove_unmounted(const char *path, int64_t end, struct nook_error *e)
{
	auto_close int top = TRY(cgroup_mount_unattached(path, e));
	const char *rest = cgroup_unmounted_path(path);
	char name[PATH_MAX], *slash;

	rest += strspn(rest, "/");
	if (!*rest || strlen(rest) >= sizeof(name))
		return err_num(e, STEP_CGROUP, path, EINVAL);
	(void)snprintf(name, sizeof(name), "%s", rest);
	TRY(remove_waiting(top, name, path, end, e));
	/* The whole hierarchy is nook's: directories above go as well once they are empty. */
	while ((slash = strrchr(name, '/'))) {
		*slash = 0;
		if (unlinkat(top, name, AT_REMOVEDIR) < 0)
			break;
	}
	return take_fd(&top);
}

int cgroup_remove(const struct cgroup *c, struct nook_error *e)
{
	int64_t end = clock_ms() + REMOVE_MS;
	AUTO(arena_free) struct arena *a = arena_new();
	int *tops = arena_new_n(a, int, c->n ? c->n : 1), result = 0;

	/* All of them are tried; the first error is kept. */
	for (size_t i = 0; i < c->n; i++) {
		const char *path = c->dirs[i];
		int r;

		tops[i] = -EBADF;
		if (cgroup_unmounted_path(path))
			r = tops[i] = remove_unmounted(path, end, result ? NULL : e);
		else
			r = remove_waiting(AT_FDCWD, path, path, end, result ? NULL : e);
		if (r < 0 && !result)
			result = r;
	}
	for (size_t i = 0; i < c->n; i++)
		if (tops[i] >= 0)
			release(&tops[i], c->dirs[i]);
	return result;
}
