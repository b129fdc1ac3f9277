/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * v2 tells the end of freezing as an event: poll(2) on cgroup.events.  v1 has none; there, reading freezer.state makes the
 * kernel look at the tasks again.  A task freezes when it next passes through the scheduler or leaves a system call, so
 * between looks the caller first gives its processor away, and later waits for an RCU grace period (membarrier(2)), which
 * ends when every processor has switched tasks.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"

#include <limits.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

enum { YIELD_NS = 5 * 1000 * 1000, THAW_MS = 2000 };

/* "frozen 1" in cgroup.events, "FROZEN" in freezer.state. */
static bool says_frozen(const char *text)
{
	const char *at = strstr(text, "frozen ");

	return (at && at[7] == '1') || text_after(text, "FROZEN");
}

/* 1 or 0. */
static int read_frozen(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return says_frozen(text);
}

static int wait_v2(int dir, int want, int timeout_ms)
{
	auto_close int events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = clock_ns() + timeout_ms * 1000000LL;

	if (events < 0)
		return -errno;
	for (;;) {
		/* Read before polling: the read tells kernfs which event the next poll waits for. */
		int r = read_frozen(events);
		struct pollfd p = {.fd = events, .events = POLLPRI};
		int64_t left = (end - clock_ns() + 999999) / 1000000;

		if (r < 0 || r == want)
			return r < 0 ? r : 0;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static int freeze_v1(int dir, int timeout_ms)
{
	int64_t start = clock_ns(), now;

	TRY(file_write(dir, "freezer.state", "FROZEN", STEP_FREEZE, NULL));
	for (;;) {
		char state[32];
		ssize_t n = cgroup_read(dir, "freezer.state", state, sizeof(state));

		if (n < 0)
			return (int)n;
		if (text_after(state, "FROZEN"))
			return 0;
		now = clock_ns();
		if (now - start > timeout_ms * 1000000LL)
			return -ETIMEDOUT;
		if (now - start < YIELD_NS || syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
			(void)sched_yield();
	}
}

static int no_freezer(const struct cgroup *c, struct nook_error *e)
{
	return err_why(e, STEP_FREEZE, c->n ? c->dirs[0] : "", EOPNOTSUPP, "the container has no group that can be frozen");
}

int cgroup_freeze(const struct cgroup *c, int timeout_ms, struct nook_error *e)
{
	bool v2 = false;
	auto_close int dir = cgroup_open_freezer(c, &v2);
	int r;

	if (dir < 0)
		return no_freezer(c, e);
	if (v2) {
		r = file_write(dir, "cgroup.freeze", "1", STEP_FREEZE, NULL);
		r = r < 0 ? r : wait_v2(dir, 1, timeout_ms);
	} else {
		r = freeze_v1(dir, timeout_ms);
	}
	if (!r)
		return 0;
	(void)file_write(dir, v2 ? "cgroup.freeze" : "freezer.state", v2 ? "0" : "THAWED", STEP_FREEZE, NULL);
	(void)err_num(e, STEP_FREEZE, c->dirs[0], r);
	if (r == -ETIMEDOUT)
		err_detail(e, "a process sits in a system call that cannot be interrupted; the container runs on");
	return r;
}

int cgroup_thaw(const struct cgroup *c, struct nook_error *e)
{
	bool v2 = false;
	auto_close int dir = cgroup_open_freezer(c, &v2);
	int r;

	if (dir < 0)
		return no_freezer(c, e);
	r = file_write(dir, v2 ? "cgroup.freeze" : "freezer.state", v2 ? "0" : "THAWED", STEP_FREEZE, NULL);
	if (r >= 0 && v2)
		r = wait_v2(dir, 0, THAW_MS);
	if (r == -ETIMEDOUT)
		return err_why(e, STEP_FREEZE, c->dirs[0], ETIMEDOUT, "a group above it is frozen");
	return r < 0 ? err_num(e, STEP_FREEZE, c->dirs[0], r) : 0;
}

void cgroup_look_done(struct cgroup_look *look)
{
	close_fd(&look->fd);
}

/* Opens the directory that GROUP lies in, unless it is the last one's; returns GROUP's name in it. */
static const char *look_at(struct cgroup_look *look, const char *group)
{
	const char *slash = strrchr(group, '/');
	size_t len = (size_t)(slash - group);
	char dir[PATH_MAX];

	if (look->fd >= 0 && look->len == len && !memcmp(look->dir, group, len))
		return slash + 1;
	close_fd(&look->fd);
	if (!len || len >= sizeof(dir))
		return group;
	memcpy(dir, group, len);
	dir[len] = 0;
	look->dir = group;
	look->len = len;
	look->fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return look->fd < 0 ? group : slash + 1;
}

/* What FILE in the group says; -ENOENT where it has none. */
static int read_state(struct cgroup_look *look, const char *group, const char *file)
{
	const char *name = look ? look_at(look, group) : group;
	char path[PATH_MAX];
	auto_close int fd = -EBADF;

	if (snprintf(path, sizeof(path), "%s/%s", name, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(look && look->fd >= 0 ? look->fd : AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read_frozen(fd);
}

/* By the long way: hierarchies that are mounted nowhere, or under names of their own. */
static int is_frozen_anywhere(const struct cgroup *c)
{
	bool v2 = false;
	auto_close int dir = cgroup_open_freezer(c, &v2);
	char text[64];

	if (dir < 0)
		return 0;
	if (cgroup_read(dir, v2 ? "cgroup.events" : "freezer.state", text, sizeof(text)) < 0)
		return 0;
	return says_frozen(text);
}

int cgroup_is_frozen_at(const struct cgroup *c, struct cgroup_look *look)
{
	int r = -ENOENT;

	/* From the end, where the v2 group usually stands. */
	for (size_t i = c->n; i-- > 0 && r == -ENOENT;)
		if (c->dirs[i][0] == '/')
			r = read_state(look, c->dirs[i], strstr(c->dirs[i], "/freezer/") ? "freezer.state" : "cgroup.events");
	return r == -ENOENT ? is_frozen_anywhere(c) : r;
}

int cgroup_is_frozen(const struct cgroup *c)
{
	return cgroup_is_frozen_at(c, NULL);
}
