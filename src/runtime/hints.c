/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <stddef.h>

struct hint {
	int step;
	int errnum;
	const char *text;
};

static const struct hint hints[] = {
	{STEP_CLONE, ENOSPC, "the limit of namespaces is reached: see sysctl user.max_user_namespaces and lsns(8)"},
	{STEP_CLONE, EAGAIN, "the limit of processes is reached: see ulimit -u and pids.max of your cgroup"},
};

const char *nook_error_hint(const struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].step == e->step && hints[i].errnum == e->sys_errno)
			return hints[i].text;
	return NULL;
}
