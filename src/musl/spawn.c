/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from)
{
	DIR *list = opendir("/proc/self/fd");
	const struct dirent *entry;
	int r = 0;

	if (!list)
		return errno;
	while (r == 0 && (entry = readdir(list)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) >= from)
			r = posix_spawn_file_actions_addclose(actions, atoi(entry->d_name));
	(void)closedir(list);
	return r;
}
