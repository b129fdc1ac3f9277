/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hearing that a group's memory ran out: v2 changes memory.events, which inotify sees; v1 counts in an eventfd. */
#include "base/fd.h"
#include "cgroup/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

enum { KILLS_TEXT_MAX = 4096 };

static uint64_t kills(const struct cgroup_oom *w)
{
	char text[KILLS_TEXT_MAX];
	const char *line;
	uint64_t n = 0;

	if (cgroup_read(w->dir, "memory.events", text, sizeof(text)) <= 0)
		return w->kills;
	line = strstr(text, "oom_kill ");
	return line && sscanf(line, "oom_kill %" SCNu64, &n) == 1 ? n : w->kills;
}

static int watch_v2(struct cgroup_oom *w, const char *path)
{
	char name[PATH_MAX];

	if (snprintf(name, sizeof(name), "%s/memory.events", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	w->v2 = true;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0 || inotify_add_watch(w->fd, name, IN_MODIFY) < 0)
		return -errno;
	w->kills = kills(w);
	return 0;
}

static int watch_v1(struct cgroup_oom *w)
{
	auto_close int control = openat(w->dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	char text[32];

	w->fd = control < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	(void)snprintf(text, sizeof(text), "%d %d", w->fd, control);
	return file_write(w->dir, "cgroup.event_control", text, STEP_CGROUP, NULL);
}

int cgroup_oom_watch(const struct cgroup *c, struct cgroup_oom *ret, struct nook_error *e)
{
	struct cgroup_oom w = {.dir = -EBADF, .fd = -EBADF};
	int r = 0;

	for (size_t i = 0; i < c->n && w.fd < 0 && r == 0; i++) {
		close_fd(&w.dir);
		w.dir = cgroup_dir_open(c->dirs[i], NULL);
		if (w.dir < 0)
			continue;
		if (faccessat(w.dir, "memory.events", F_OK, 0) == 0)
			r = watch_v2(&w, c->dirs[i]);
		else if (faccessat(w.dir, "memory.oom_control", F_OK, 0) == 0)
			r = watch_v1(&w);
	}
	*ret = w;
	/* Without a memory group nothing will ever be heard, which is no failure of the rest. */
	return r < 0 ? err_num(e, STEP_CGROUP, c->dirs[0], r) : 0;
}

bool cgroup_oom_seen(struct cgroup_oom *w)
{
	char events[4096];
	uint64_t now;

	if (!w->v2) {
		uint64_t count;

		/* The end of the group counts, too. */
		return read(w->fd, &count, sizeof(count)) > 0 && faccessat(w->dir, "memory.oom_control", F_OK, 0) == 0;
	}
	while (read(w->fd, events, sizeof(events)) > 0)
		;
	now = kills(w);
	if (now == w->kills)
		return false;
	w->kills = now;
	return true;
}

void cgroup_oom_done(struct cgroup_oom *w)
{
	close_fd(&w->fd);
	close_fd(&w->dir);
}
