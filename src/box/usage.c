/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/usage.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "sys/pid.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { TREE_MAX = 1 << 16, CHILDREN_MAX = 1 << 20 };

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

static int add_times(pid_t pid, struct usage *u)
{
	uint64_t tick = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct pid_stat st;

	TRY(pid_stat(AT_FDCWD, pid, &st));
	u->user_us += (st.user_ticks + st.children_user_ticks) * tick;
	u->system_us += (st.system_ticks + st.children_system_ticks) * tick;
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
