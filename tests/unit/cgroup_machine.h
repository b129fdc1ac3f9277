/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A made-up machine: a directory like /proc and trees that look like mounted hierarchies. */
#pragma once

#include "cgroup/cgroup.h"
#include "temp.h"

struct machine {
	struct temp *temp;
	struct arena *a;
	int proc;
	struct buf cgroup, mountinfo;
};

static inline const char *machine_path(struct machine *m, const char *name)
{
	return arena_printf(m->a, "%s/%s", m->temp->path, name);
}

static inline void machine_file(struct machine *m, const char *name, const char *text)
{
	const char *path = machine_path(m, name);
	char *parent = arena_strdup(m->a, path);
	int dir, fd;

	*strrchr(parent, '/') = 0;
	dir = dir_make(parent, 0755, NULL);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(dir >= 0 && fd >= 0);
	assert_int_equal(fd_write(fd, text, strlen(text)), 0);
	(void)close(fd);
	(void)close(dir);
}

static inline const char *machine_text(struct machine *m, const char *name)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	return file_read(AT_FDCWD, machine_path(m, name), 65536, &text, NULL) < 0 ? NULL : arena_strdup(m->a, buf_text(&text));
}

static inline int machine_make(void **state)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	void *temp = NULL;

	if (temp_make(&temp) < 0)
		return -1;
	m->temp = temp;
	m->a = arena_new();
	machine_file(m, "proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nnet_cls\t0\t1\t1\nrdma\t0\t1\t0\n");
	*state = m;
	return 0;
}

static inline int machine_remove(void **state)
{
	struct machine *m = *state;
	void *temp = m->temp;

	buf_done(&m->cgroup);
	buf_done(&m->mountinfo);
	arena_free(m->a);
	free(m);
	return temp_remove(&temp);
}

/* A v1 hierarchy "cpu,cpuacct" at "cgroup/cpu,cpuacct"; SELF is the caller's group, ROOT what the mount shows. */
static inline void machine_v1(struct machine *m, const char *list, const char *self, const char *root)
{
	static int number = 1;

	buf_addf(&m->cgroup, "%d:%s:%s\n", number++, list, self);
	buf_addf(&m->mountinfo, "30 20 0:30 %s %s/cgroup/%s rw,relatime - cgroup cgroup rw,%s\n", root, m->temp->path, list, list);
	machine_file(m, arena_printf(m->a, "cgroup/%s/cgroup.procs", list), "1\n");
	if (strcmp(self, "/") != 0)
		machine_file(m, arena_printf(m->a, "cgroup/%s%s/cgroup.procs", list, self), "2\n");
}

static inline void machine_v2(struct machine *m, const char *at, const char *self, const char *controllers)
{
	buf_addf(&m->cgroup, "0::%s\n", self);
	buf_addf(&m->mountinfo, "31 20 0:31 / %s/%s rw,relatime - cgroup2 cgroup2 rw\n", m->temp->path, at);
	machine_file(m, arena_printf(m->a, "%s/cgroup.procs", at), "1\n");
	machine_file(m, arena_printf(m->a, "%s/cgroup.controllers", at), controllers);
	machine_file(m, arena_printf(m->a, "%s/cgroup.subtree_control", at), "");
}

static inline int machine_read(struct machine *m, struct cgroup_layout *ret, struct nook_error *e)
{
	machine_file(m, "proc/self/cgroup", buf_text(&m->cgroup));
	machine_file(m, "proc/self/mountinfo", buf_text(&m->mountinfo));
	if (m->proc > 0)
		(void)close(m->proc);
	m->proc = open(machine_path(m, "proc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return cgroup_layout_read(m->a, m->proc, ret, e);
}

static inline struct cgroup_layout machine_layout(struct machine *m)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout l;

	assert_int_equal(machine_read(m, &l, &e), 0);
	return l;
}
