/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/kill.h"

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "runtime/inside.h"
#include "runtime/signals.h"
#include "runtime/wait.h"
#include "sys/pid.h"

#include <signal.h>

enum { MS = 1000 };

int container_kill(const struct container *c, int signal, enum kill_scope scope, struct arena *a, struct nook_error *e)
{
	auto_close int pidfd = TRY(container_pidfd(c, e));
	struct cgroup g;

	container_cgroup(c, a, &g);
	if (scope == KILL_ALL && !g.n)
		return err_why(e, STEP_CONTAINER, c->id, EINVAL, "it has no cgroup, so that only its first process is known: without --all");
	/* What is frozen sees a signal only when it is thawed; cgroup_signal() does that for SIGKILL. */
	if (scope == KILL_ALL || (signal == SIGKILL && g.n && container_status(c) == CONTAINER_PAUSED))
		return cgroup_signal(&g, signal, e);
	return pid_signal(pidfd, signal, e);
}

int container_stop_signal(const struct container *c, struct nook_error *e)
{
	const char *text = container_annotation(c, ANNOTATION_STOP_SIGNAL);

	return text && *text ? signal_parse(text, e) : SIGTERM;
}

int container_stop(struct store_run *r, const struct container *c, int signal, int64_t seconds, struct arena *a, struct nook_error *e)
{
	const int wait_ms = seconds < 0 || seconds > INT32_MAX / MS ? -1 : (int)seconds * MS;
	struct nook_error late = NOOK_ERROR_INIT;
	auto_close int pidfd = container_pidfd(c, NULL);
	int n;

	if (pidfd < 0)
		return 0;
	n = pid_signal(pidfd, signal, e);
	if (n == -ESRCH)
		return 0;
	TRY(n);
	if (container_status(c) == CONTAINER_PAUSED)
		TRY(inside_thaw(c, a, e));
	if (pid_wait_end(pidfd, wait_ms, &late) < 0) {
		n = container_kill(c, SIGKILL, KILL_FIRST, a, e);
		if (n < 0 && n != -ESRCH)
			return n;
		TRY(pid_wait_end(pidfd, -1, e));
	}
	/* Until its record says so; how it ended is nothing that matters here. */
	(void)container_wait(r, c, NULL);
	return 0;
}
