/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/processes.h"

#include "base/fd.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "runtime/idrange.h"

#include <dirent.h>
#include <stdio.h>

/* A command line may be megabytes long; nobody reads more than this. */
enum { COMMAND_MAX = 4096, STATUS_MAX = 64 * 1024, PATH_ROOM = 48 };

/* ---- which ------------------------------------------------------------------------------------------------------- */

struct kin {
	pid_t pid, parent;
	bool counted;
};

/* Every process of this /proc. */
static size_t read_all(int proc, struct arena *a, struct kin **ret)
{
	int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct pid_stat st;
	uint32_t pid = 0;
	size_t n = 0;

	while (stream && (entry = readdir(stream)))
		if (text_u32(entry->d_name, &pid) == 0 && pid_stat(proc, (pid_t)pid, &st) == 0)
			*arena_push(a, ret, &n) = (struct kin){.pid = (pid_t)pid, .parent = st.parent};
	if (stream)
		(void)closedir(stream);
	return n;
}

/* INIT and its descendants.  What loses its parent in a pid namespace becomes init's child, so none gets lost. */
static int find_kin(int proc, pid_t init, struct arena *a, pid_t **ret)
{
	struct kin *all = NULL;
	size_t n = read_all(proc, a, &all), found = 0;
	pid_t *list = NULL;

	*arena_push(a, &list, &found) = init;
	for (size_t next = 0; next < found; next++)
		for (size_t i = 0; i < n; i++)
			if (!all[i].counted && all[i].parent == list[next] && all[i].pid != init) {
				all[i].counted = true;
				*arena_push(a, &list, &found) = all[i].pid;
			}
	*ret = list;
	return (int)found;
}

/* ---- what -------------------------------------------------------------------------------------------------------- */

static const char *file_text(int proc, pid_t pid, const char *name, size_t limit, struct buf *text)
{
	char path[PATH_ROOM];
	size_t n;

	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	auto_close int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	auto_free char *room = xcalloc(limit + 1, 1);
	ssize_t got = fd < 0 ? -1 : fd_read(fd, room, limit);

	n = got < 0 ? 0 : (size_t)got;
	buf_add(text, room, n);
	return buf_text(text);
}

/* What follows KEY in a file of lines "Key:\tvalue". */
static const char *line_value(const char *text, const char *key)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *rest = text_after(line, key);

		if (rest)
			return rest + strspn(rest, " \t");
	}
	return NULL;
}

/* "4711\t12\t1" without the first number, which is ours. */
static const char *inner_pids(struct arena *a, const char *nspid)
{
	size_t len = nspid ? strcspn(nspid, "\n") : 0;
	char *list = arena_strndup(a, nspid ? nspid : "", len);
	char *rest = strchr(list, '\t');

	if (!rest)
		return "";
	for (char *p = ++rest; *p; p++)
		if (*p == '\t')
			*p = '\n';
	return rest;
}

static int64_t uid_inside(int proc, pid_t pid, uint32_t host, struct arena *a)
{
	struct spec_idmap *maps = NULL;
	char path[PATH_ROOM];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%d/uid_map", (int)pid);
	if (idrange_read_map(proc, path, a, &maps, &n, NULL) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (host >= maps[i].outside && host - maps[i].outside < maps[i].count)
			return (int64_t)maps[i].inside + (host - maps[i].outside);
	return -1;
}

static const char *command_line(int proc, pid_t pid, const struct pid_stat *st, struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	(void)file_text(proc, pid, "cmdline", COMMAND_MAX, &text);
	while (text.len && !text.data[text.len - 1])
		text.len--;
	if (!text.len)
		return arena_printf(a, "[%s]", st->comm);
	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i])
			text.data[i] = ' ';
	return arena_strndup(a, text.data, text.len);
}

/* 0, or -ESRCH when it has ended meanwhile. */
static int process_read(int proc, pid_t pid, struct arena *a, struct process *ret)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct process p = {.pid = pid};
	const char *status, *uid;

	TRY(pid_stat(proc, pid, &p.stat));
	status = file_text(proc, pid, "status", STATUS_MAX, &text);
	uid = line_value(status, "Uid:");
	if (!uid)
		return -ESRCH;
	p.host_uid = (uint32_t)strtoul(uid, NULL, 10);
	p.uid = uid_inside(proc, pid, p.host_uid, a);
	p.inner = inner_pids(a, line_value(status, "NSpid:"));
	p.command = command_line(proc, pid, &p.stat, a);
	*ret = p;
	return 0;
}

int container_processes(const struct container *c, struct arena *a, struct process **ret, size_t *ret_n, struct nook_error *e)
{
	auto_close int pidfd = TRY(container_pidfd(c, e));
	auto_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct process *list = NULL, p;
	struct cgroup g;
	pid_t *pids = NULL;
	size_t found = 0;
	int n;

	if (proc < 0)
		return err_sys(e, STEP_PROC, "/proc");
	container_cgroup(c, a, &g);
	n = g.n ? TRY(cgroup_pids(a, &g, &pids, e)) : find_kin(proc, c->pid, a, &pids);
	for (int i = 0; i < n; i++)
		if (process_read(proc, pids[i], a, &p) == 0)
			*arena_push(a, &list, &found) = p;
	*ret = list;
	*ret_n = found;
	return 0;
}
