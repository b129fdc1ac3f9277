/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/rlimits.h"

#include "base/text.h"

#include <strings.h>
#include <sys/resource.h>

static const char *const names[] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};

enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

const char *rlimit_name(int resource)
{
	return resource >= 0 && resource < N_NAMES ? names[resource] : NULL;
}

int rlimit_find(const char *name)
{
	const char *word = strncasecmp(name, "RLIMIT_", 7) == 0 ? name + 7 : name;

	for (int i = 0; i < N_NAMES; i++)
		if (names[i] && strcasecmp(names[i], word) == 0)
			return i;
	return -1;
}
