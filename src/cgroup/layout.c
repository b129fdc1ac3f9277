/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which hierarchies there are.  /proc/self/cgroup lists the active ones with their controllers and the caller's group;
 * where they can be reached is a matter of the mount table.  Both are needed: a hierarchy may be mounted nowhere (it
 * lives as long as it has groups), and a mount may show only a part of one (a bind mount inside a container).
 */
#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "cgroup/cgroup.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

enum { PROC_FILE_LIMIT = 16 * 1024 * 1024 };

const char *const cgroup_names[CGROUP_CONTROLLERS] = {
	[CGROUP_CPU] = "cpu",         [CGROUP_CPUACCT] = "cpuacct",   [CGROUP_CPUSET] = "cpuset",
	[CGROUP_MEMORY] = "memory",   [CGROUP_PIDS] = "pids",         [CGROUP_BLKIO] = "blkio",
	[CGROUP_DEVICES] = "devices", [CGROUP_FREEZER] = "freezer",   [CGROUP_HUGETLB] = "hugetlb",
	[CGROUP_NET_CLS] = "net_cls", [CGROUP_NET_PRIO] = "net_prio", [CGROUP_PERF_EVENT] = "perf_event",
	[CGROUP_RDMA] = "rdma",       [CGROUP_MISC] = "misc",
};

int cgroup_controller_find(const char *name, size_t len)
{
	if (len == 2 && !memcmp(name, "io", 2))
		return CGROUP_BLKIO;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		if (strlen(cgroup_names[i]) == len && !memcmp(name, cgroup_names[i], len))
			return i;
	return -1;
}

unsigned cgroup_controllers_in(const char *list)
{
	static const char separators[] = ", \n";
	unsigned bits = 0;

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, separators);
		int c = cgroup_controller_find(p, len);

		if (c >= 0)
			bits |= 1U << c;
		p += len;
		p += strspn(p, separators);
	}
	return bits;
}

/* Cuts the text at the next SEPARATOR and returns what was before it; NULL at the end of the text. */
static char *next_part(char **rest, char separator)
{
	char *part = *rest, *end;

	if (!part || !*part)
		return NULL;
	end = strchr(part, separator);
	if (end)
		*end++ = 0;
	*rest = end;
	return part;
}

static bool list_has(const char *list, const char *word, size_t len)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && !memcmp(p, word, len))
			return true;
		p += n;
		p += *p == ',';
	}
	return false;
}

/* "4:memory:/some/group".  self holds the path within the hierarchy until its mount is known. */
static int read_self(struct arena *a, struct cgroup_layout *l, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char *rest, *line;

	TRY(file_read_piece(l->proc, l->proc == AT_FDCWD ? "/proc/self/cgroup" : "self/cgroup", PROC_FILE_LIMIT, &text, e));
	rest = text.data;
	while ((line = next_part(&rest, '\n'))) {
		struct cgroup_hierarchy *h = &l->h[l->n];
		char *number = next_part(&line, ':');
		/* Not next_part(): the list is empty on v2. */
		char *list = line, *path = line ? strchr(line, ':') : NULL;

		if (!number || !path || path[1] != '/')
			return err_why(e, STEP_CGROUP, "/proc/self/cgroup", EINVAL, "a line has not the form NUMBER:CONTROLLERS:PATH");
		if (l->n == CGROUP_HIERARCHIES_MAX)
			return err_why(e, STEP_CGROUP, "/proc/self/cgroup", E2BIG, "more hierarchies than nook can handle");
		*path++ = 0;
		*h = (struct cgroup_hierarchy){
			.self = arena_strdup(a, path),
			.list = arena_strdup(a, list),
			.controllers = cgroup_controllers_in(list),
			.v2 = text_is(number, "0"),
		};
		if (h->v2)
			l->v2 = (int)l->n;
		l->n++;
	}
	return 0;
}

/* The mount table writes space, tab, newline and backslash as \ooo; in place. */
static char *unescape(char *s)
{
	char *to = s;

	for (const char *p = s; p && *p; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	if (s)
		*to = 0;
	return s;
}

struct mount_line {
	const char *root, *point, *options, *type, *super;
};

/* "36 31 0:33 / /sys/fs/cgroup/devices rw,relatime shared:5 - cgroup cgroup rw,devices" */
static bool split_mount(char *line, struct mount_line *ret)
{
	char *tail = strstr(line, " - ");

	if (!tail)
		return false;
	*tail = 0;
	tail += 3;
	for (int i = 0; i < 3; i++)
		(void)next_part(&line, ' ');
	ret->root = unescape(next_part(&line, ' '));
	ret->point = unescape(next_part(&line, ' '));
	ret->options = next_part(&line, ' ');
	ret->type = next_part(&tail, ' ');
	(void)next_part(&tail, ' ');
	ret->super = tail;
	return ret->root && ret->point && ret->options && ret->type && ret->super;
}

static struct cgroup_hierarchy *hierarchy_of_mount(struct cgroup_layout *l, const struct mount_line *m)
{
	if (text_is(m->type, "cgroup2"))
		return l->v2 >= 0 ? &l->h[l->v2] : NULL;
	if (!text_is(m->type, "cgroup"))
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		if (!l->h[i].v2 && list_has(m->super, l->h[i].list, strcspn(l->h[i].list, ",")))
			return &l->h[i];
	return NULL;
}

/* A later mount above a mount point hides what is there, which the table does not tell. */
static bool is_visible(const char *mount)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/cgroup.procs", mount) < (int)sizeof(path) && access(path, F_OK) == 0;
}

/* Is a second mount of the same hierarchy the better one?  One of the whole is better than one of a part. */
static bool is_better(const char *old, const char *old_root, const struct mount_line *m)
{
	if (!is_visible(m->point))
		return false;
	return text_is(old, m->point) || !is_visible(old) || (text_is(m->root, "/") && !text_is(old_root, "/"));
}

/* Where the caller's group is in a mount that shows the hierarchy from ROOT on. */
static const char *self_below(struct arena *a, const char *mount, const char *root, const char *self)
{
	const char *rest = text_is(root, "/") ? self : text_after(self, root);

	/* A root with ".." is above the caller's cgroup namespace: its top is not at "/" and has no name here. */
	if (!rest || (*rest && *rest != '/'))
		return NULL;
	return text_is(rest, "/") || !*rest ? mount : arena_printf(a, "%s%s", mount, rest);
}

static int read_mounts(struct arena *a, struct cgroup_layout *l, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const char *paths[CGROUP_HIERARCHIES_MAX];
	const char *roots[CGROUP_HIERARCHIES_MAX] = {0};
	char *rest, *line;

	TRY(file_read(l->proc, l->proc == AT_FDCWD ? "/proc/self/mountinfo" : "self/mountinfo", PROC_FILE_LIMIT, &text, e));
	for (size_t i = 0; i < l->n; i++)
		paths[i] = l->h[i].self;
	rest = text.data;
	while ((line = next_part(&rest, '\n'))) {
		struct mount_line m;
		struct cgroup_hierarchy *h;

		if (!split_mount(line, &m))
			continue;
		h = hierarchy_of_mount(l, &m);
		if (!h || (h->mount && !is_better(h->mount, roots[h - l->h], &m)))
			continue;
		h->mount = arena_strdup(a, m.point);
		h->readonly = list_has(m.options, "ro", 2);
		roots[h - l->h] = arena_strdup(a, m.root);
	}
	for (size_t i = 0; i < l->n; i++)
		l->h[i].self = l->h[i].mount ? self_below(a, l->h[i].mount, roots[i], paths[i]) : NULL;
	return 0;
}

/* v2 alone at its usual place, as on most machines: one look there instead of a mount table that grows with every
 * container.  Not so for a mount that shows a part of the tree: then the caller's group is not where it would be. */
static bool is_at_usual_place(struct arena *a, struct cgroup_layout *l)
{
	static const char usual[] = "/sys/fs/cgroup";
	struct cgroup_hierarchy *h = &l->h[0];
	const char *self;
	struct statfs st;

	if (l->proc != AT_FDCWD || l->n != 1 || !h->v2 || statfs(usual, &st) < 0 || st.f_type != CGROUP2_SUPER_MAGIC)
		return false;
	self = text_is(h->self, "/") ? usual : arena_printf(a, "%s%s", usual, h->self);
	if (strstr(self, "/..") || !is_visible(self))
		return false;
	h->mount = usual;
	h->self = self;
	h->readonly = st.f_flags & ST_RDONLY;
	return true;
}

/* A v2 tree tells its controllers itself; those that v1 has taken are missing there. */
static int read_v2_controllers(struct arena *a, struct cgroup_layout *l, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct cgroup_hierarchy *h = l->v2 >= 0 ? &l->h[l->v2] : NULL;
	int r;

	if (!h)
		return 0;
	r = h->mount ? file_read_piece(AT_FDCWD, arena_printf(a, "%s/cgroup.controllers", h->mount), PROC_FILE_LIMIT, &text, e) : -ENOENT;
	if (r == -ENOENT) {
		/* Active, but in no mount that can be seen. */
		h->mount = h->self = NULL;
		l->v2 = -1;
		return 0;
	}
	TRY(r);
	h->controllers = cgroup_controllers_in(buf_text(&text));
	return 0;
}

int cgroup_layout_read(struct arena *a, int proc, struct cgroup_layout *ret, struct nook_error *e)
{
	struct cgroup_layout l = {.v2 = -1, .proc = proc};

	TRY(read_self(a, &l, e));
	if (!is_at_usual_place(a, &l))
		TRY(read_mounts(a, &l, e));
	TRY(read_v2_controllers(a, &l, e));
	for (size_t i = 0; i < l.n; i++)
		l.hybrid |= l.v2 >= 0 && !l.h[i].v2 && l.h[i].mount && l.h[i].controllers;
	*ret = l;
	return 0;
}

int cgroup_of_process(struct arena *a, const struct cgroup_layout *l, pid_t pid, const char *suffix, struct cgroup *ret,
                      struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	size_t len = strlen(suffix);
	struct cgroup c = {0};
	char *rest, *line;

	TRY(file_read(l->proc, arena_printf(a, "%s%d/cgroup", l->proc == AT_FDCWD ? "/proc/" : "", (int)pid), PROC_FILE_LIMIT, &text, e));
	rest = text.data;
	while ((line = next_part(&rest, '\n'))) {
		char *number = next_part(&line, ':'), *list = line, *path = line ? strchr(line, ':') : NULL;

		if (!number || !path)
			continue;
		*path++ = 0;
		if (strlen(path) < len || !text_is(path + strlen(path) - len, suffix))
			continue;
		for (size_t i = 0; i < l->n; i++)
			if (text_is(l->h[i].list, list) && l->h[i].mount)
				*arena_push(a, &c.dirs, &c.n) = arena_printf(a, "%s%s", l->h[i].mount, path);
	}
	if (!c.n)
		return err_why(e, STEP_CGROUP, suffix + 1, ENOENT, "systemd has not moved the process there");
	*ret = c;
	return 0;
}

void cgroup_layout_show(struct cgroup_layout *l, const char *source)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cgroup_hierarchy *h = &l->h[i];
		const char *rest = h->mount && !h->v2 && !h->controllers ? path_below(h->mount, source) : NULL;

		h->shown |= rest && !strchr(rest, '/');
	}
}

int cgroup_layout_find(const struct cgroup_layout *l, enum cgroup_controller c)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->h[i].controllers & 1U << c)
			return (int)i;
	return -1;
}

/* "net_cls  0  1  1": name, hierarchy, groups, enabled.  The hierarchy may have come to life since the layout was read. */
unsigned cgroup_layout_spare(const struct cgroup_layout *l)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	unsigned bits = 0;
	char *rest, *line;

	if (file_read(l->proc, l->proc == AT_FDCWD ? "/proc/cgroups" : "cgroups", PROC_FILE_LIMIT, &text, NULL) < 0)
		return 0;
	rest = text.data;
	while ((line = next_part(&rest, '\n'))) {
		char *enabled = strrchr(line, '\t'), *name = next_part(&line, '\t');
		int c = name ? cgroup_controller_find(name, strlen(name)) : -1;

		if (c >= 0 && enabled && text_is(enabled + 1, "1") && cgroup_layout_find(l, (enum cgroup_controller)c) < 0)
			bits |= 1U << c;
	}
	return bits;
}
