/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/environment.h"

#include <string.h>

const char *environment_find(const char *const *env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			found = *env + len + 1;
	return found;
}

const char *const *environment_unique(struct arena *a, const char *const *env, const char *without)
{
	const char **list = NULL;
	size_t n = 0;

	for (; env && *env; env++) {
		size_t len = strcspn(*env, "="), i = 0;

		if (without && strlen(without) == len && strncmp(*env, without, len) == 0)
			continue;
		while (i < n && (strncmp(list[i], *env, len) != 0 || list[i][len] != '='))
			i++;
		if (i < n)
			list[i] = *env;
		else
			*arena_push(a, &list, &n) = *env;
	}
	(void)arena_push(a, &list, &n);
	return list;
}
