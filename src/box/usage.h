/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tree of processes has used, from /proc: for boxes without a group that would count. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct usage {
	uint64_t user_us, system_us;
	uint64_t pids;
};

/* PID, all that descends from it and all that these have waited for.  0 or -errno (-ESRCH: it has ended). */
int usage_of_tree(pid_t pid, struct usage *ret);
