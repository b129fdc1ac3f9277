/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Seccomp agents: a filter's listener goes to linux.seccomp.listenerPath with the state of the process (config-linux.md,
 * "The Container Process State"). */
#pragma once

#include "oci/oci.h"
#include "plan/plan.h"

/* What a launch needs to know for it; the data of struct launch_hooks.notify. */
struct notify {
	struct oci *oci;
	const struct container *container;
	enum container_status status;
	const struct plan *plan; /* the container's; NULL: loaded from STORE when it is needed */
	struct store_run *store;
	int pidfd;               /* killed when the agent cannot be reached; -EBADF: the launch sees to that */
};
int notify_send(void *notify, pid_t pid, int listener, struct nook_error *e);
/* An agent that is not there is told when the container is created. */
int notify_check(const struct spec *s, struct nook_error *e);
