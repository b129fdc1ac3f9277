/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/container.h"

#include "cgroup/cgroup.h"
#include "sys/pid.h"

#include <fcntl.h>
#include <string.h>

const char *const container_status_names[] = {
	[CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
	[CONTAINER_PAUSED] = "paused",     [CONTAINER_STOPPED] = "stopped",
};

static bool process_lives(pid_t pid, uint64_t start)
{
	struct pid_stat st;

	if (!pid || pid_stat(AT_FDCWD, pid, &st) < 0 || st.start != start)
		return false;
	if (st.state != 'Z' && st.state != 'X')
		return true;
	/* The first thread has ended; the process lives as long as another thread does. */
	auto_close int fd = pid_open(AT_FDCWD, pid, start, NULL);

	return fd >= 0 && !pid_has_ended(fd);
}

bool container_is_supervised(const struct container *c)
{
	return process_lives(c->supervisor, c->supervisor_start);
}

bool container_is_orphan(const struct container *c)
{
	return c->tied && c->supervisor && !container_is_supervised(c);
}

void container_cgroup(const struct container *c, struct arena *a, struct cgroup *ret)
{
	*ret = (struct cgroup){.dirs = arena_memdup(a, c->cgroups, c->n_cgroups * sizeof(*c->cgroups)), .n = c->n_cgroups};
}

/* The freezer's group alone where a path tells it (v1), so that the others need not be opened. */
static struct cgroup freezer_of(const struct container *c)
{
	for (size_t i = 0; i < c->n_cgroups; i++)
		if (strstr(c->cgroups[i], "/freezer/"))
			return (struct cgroup){.dirs = &c->cgroups[i], .n = 1};
	return (struct cgroup){.dirs = c->cgroups, .n = c->n_cgroups};
}

static enum container_status noted_at(const struct container *c, struct cgroup_look *look)
{
	const struct cgroup g = freezer_of(c);

	if (c->creating || !c->pid)
		return c->creating ? CONTAINER_CREATING : CONTAINER_STOPPED;
	if (g.n && cgroup_is_frozen_at(&g, look) > 0)
		return CONTAINER_PAUSED;
	return c->started_ns ? CONTAINER_RUNNING : CONTAINER_CREATED;
}

enum container_status container_status_noted(const struct container *c)
{
	return noted_at(c, NULL);
}

static bool has_inode(const struct container *c)
{
	return c->this_boot && c->pid_inode && c->pid;
}

static bool init_lives(const struct container *c)
{
	auto_close int fd = has_inode(c) ? pid_open_inode(c->pid, c->pid_inode, NULL) : -EBADF;

	return has_inode(c) ? fd >= 0 && !pid_has_ended(fd) : process_lives(c->pid, c->pid_start);
}

enum container_status container_status_at(const struct container *c, struct cgroup_look *look)
{
	if (c->creating)
		return container_is_supervised(c) ? CONTAINER_CREATING : CONTAINER_STOPPED;
	if (!init_lives(c))
		return CONTAINER_STOPPED;
	return noted_at(c, look);
}

enum container_status container_status(const struct container *c)
{
	return container_status_at(c, NULL);
}

int container_pidfd(const struct container *c, struct nook_error *e)
{
	auto_close int fd = -ESRCH;

	if (has_inode(c))
		fd = pid_open_inode(c->pid, c->pid_inode, e);
	else if (c->pid)
		fd = pid_open(AT_FDCWD, c->pid, c->pid_start, e);
	if (fd < 0 && fd != -ESRCH)
		return fd;
	if (fd < 0 || pid_has_ended(fd))
		return err_why(e, STEP_CONTAINER, c->id, ESRCH, "it is not running");
	return take_fd(&fd);
}
