/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is in a group, and who joins it. */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"

#include <dirent.h>
#include <stdio.h>

enum { DEPTH_MAX = 64, PIDS_TEXT_MAX = 64 * 1024 * 1024 };

static int walk(int parent, const char *name, int depth, int (*each)(int, const char *, int, void *), void *context)
{
	auto_close int dir = openat(parent, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!stream) {
		r = -errno;
		if (copy >= 0)
			(void)close(copy);
		/* Somebody else removed it: then there is nothing to visit. */
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	}
	if (depth > DEPTH_MAX)
		r = -ELOOP;
	while (r >= 0 && (entry = readdir(stream)))
		if (entry->d_type == DT_DIR && !text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
			r = walk(dir, entry->d_name, depth + 1, each, context);
	(void)closedir(stream);
	return r < 0 ? r : each(parent, name, dir, context);
}

int cgroup_walk(int dir, int (*each)(int parent, const char *name, int dir, void *context), void *context)
{
	return walk(dir, "", 0, each, context);
}

/* ---- which directory ------------------------------------------------------------------------------------------------ */

int cgroup_open_freezer(const struct cgroup *c, bool *ret_v2)
{
	auto_close int v1 = -EBADF;

	/* From the end, where the v2 group usually stands. */
	for (size_t i = c->n; i-- > 0;) {
		auto_close int dir = cgroup_dir_open(c->dirs[i], NULL);

		if (dir < 0)
			continue;
		if (faccessat(dir, "cgroup.freeze", F_OK, 0) == 0) {
			*ret_v2 = true;
			return take_fd(&dir);
		}
		if (v1 < 0 && faccessat(dir, "freezer.state", F_OK, 0) == 0)
			v1 = take_fd(&dir);
	}
	*ret_v2 = false;
	return v1 < 0 ? -ENOENT : take_fd(&v1);
}

int cgroup_open_main(const struct cgroup *c)
{
	bool v2;
	int dir = cgroup_open_freezer(c, &v2);

	for (size_t i = 0; dir < 0 && i < c->n; i++)
		dir = cgroup_dir_open(c->dirs[i], NULL);
	return dir < 0 ? -ENOENT : dir;
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

int cgroup_read_pids(struct arena *a, int dir, pid_t **pids, size_t *n)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r = file_read(dir, "cgroup.procs", PIDS_TEXT_MAX, &text, NULL);

	/* A threaded group has no processes of its own: the group it belongs to lists them. */
	if (r == -EOPNOTSUPP || r == -ENODEV || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (const char *p = buf_text(&text); *p;) {
		pid_t pid = (pid_t)strtol(p, NULL, 10);

		/* 0: a process that this pid namespace does not see. */
		if (pid > 0)
			*arena_push(a, pids, n) = pid;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return 0;
}

static int add_pids(int parent, const char *name, int dir, void *context)
{
	struct cgroup_pid_list *list = context;

	(void)parent;
	(void)name;
	return cgroup_read_pids(list->arena, dir, &list->pids, &list->n);
}

int cgroup_list_pids(int dir, struct cgroup_pid_list *list)
{
	return cgroup_walk(dir, add_pids, list);
}

int cgroup_pids(struct arena *a, const struct cgroup *c, pid_t **ret, struct nook_error *e)
{
	struct cgroup_pid_list list = {.arena = a};
	auto_close int dir = cgroup_open_main(c);
	int r = dir < 0 ? 0 : cgroup_list_pids(dir, &list);

	if (r < 0)
		return err_num(e, STEP_CGROUP, c->n ? c->dirs[0] : "", r);
	*ret = list.pids;
	return (int)list.n;
}

int cgroup_attach(const struct cgroup *c, pid_t pid, struct nook_error *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < c->n; i++) {
		auto_close int dir = TRY(cgroup_dir_open(c->dirs[i], e));
		auto_close int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			return err_sys(e, STEP_CGROUP, c->dirs[i]);
	}
	return 0;
}
