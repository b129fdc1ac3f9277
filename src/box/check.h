/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the way of boxes on this machine, and what to do about it.  Nothing is tried here: files of /proc tell. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>

enum check_state { CHECK_OK, CHECK_LIMITED, CHECK_MISSING };

struct check {
	const char *what;   /* "user namespaces" */
	enum check_state state;
	const char *detail, *fix; /* fix: NULL when there is nothing to do */
};

/* PROC: a directory that looks like /proc (tests bring their own).  PRIVILEGED: the caller has CAP_SYS_ADMIN.  The list is
 * in ARENA. */
void check_proc(int proc, bool privileged, struct arena *a, struct check **ret, size_t *ret_n);
/* And the rest of the machine: Landlock, seccomp, control groups, helper programs. */
void check_machine(struct arena *a, struct check **ret, size_t *ret_n);
