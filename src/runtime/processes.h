/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processes of a container as the host sees them: read from /proc, nothing of the container is run or asked. */
#pragma once

#include "runtime/container.h"
#include "sys/pid.h"

struct process {
	struct pid_stat stat;
	pid_t pid;         /* in the caller's pid namespace */
	const char *inner; /* its pids in the namespaces below, outermost first, one a line; "" when it is in ours */
	uint32_t host_uid;
	int64_t uid;       /* in its own user namespace; -1: has no map there */
	const char *command; /* the command line, or "[comm]" when it has none */
};

/* -ESRCH when the container does not run.  With cgroups, what is in them; without, init and all that descend from it. */
int container_processes(const struct container *c, struct arena *a, struct process **ret, size_t *ret_n, struct nook_error *e);
