/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/usage.h"

#include "base/alloc.h"
#include "base/fd.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { TREE_MAX = 1 << 16, STAT_MAX = 4096, CHILDREN_MAX = 1 << 20 };

struct pids {
	pid_t *items;
	size_t n, room;
};

static void pids_add(struct pids *p, pid_t pid)
{
	if (p->n == TREE_MAX)
		return;
	if (p->n == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->items = xrealloc(p->items, p->room, sizeof(*p->items));
	}
	p->items[p->n++] = pid;
}

/* utime stime cutime cstime: fields 14 to 17 of /proc/PID/stat, the name in field 2 may hold anything. */
static int add_times(pid_t pid, struct usage *u)
{
	unsigned long long user = 0, system = 0, children_user = 0, children_system = 0;
	uint64_t tick = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	char path[64], text[STAT_MAX], *rest;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -errno : fd_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = 0;
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &user, &system,
				&children_user, &children_system) != 4)
		return -EPROTO;
	u->user_us += (user + children_user) * tick;
	u->system_us += (system + children_system) * tick;
	u->pids++;
	return 0;
}

/* Children of every thread of PID. */
static void add_children(pid_t pid, struct pids *list)
{
	struct buf text = {0};
	char path[64];
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		char file[300], *save = NULL;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/children", entry->d_name);
		text.len = 0;
		if (file_read(dirfd(tasks), file, CHILDREN_MAX, &text, NULL) < 0 || !text.len)
			continue;
		for (char *word = strtok_r(text.data, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
			pids_add(list, atoi(word));
	}
	if (tasks)
		(void)closedir(tasks);
	buf_done(&text);
}

int usage_of_tree(pid_t pid, struct usage *ret)
{
	struct pids list = {0};
	struct usage u = {0};
	int r;

	pids_add(&list, pid);
	r = add_times(pid, &u);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (i)
			(void)add_times(list.items[i], &u); /* it may just have ended */
		add_children(list.items[i], &list);
	}
	free(list.items);
	if (r == 0)
		*ret = u;
	return r == -ENOENT ? -ESRCH : r;
}
