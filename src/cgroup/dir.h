/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the functions that work on existing groups share: names, opening, small reads without allocation. */
#pragma once

#include "cgroup/cgroup.h"

/* The part of a group's name behind "CONTROLLERS:", or NULL for an absolute directory. */
const char *cgroup_unmounted_path(const char *path);
/* The top of the hierarchy that "CONTROLLERS:/PATH" names, mounted and attached nowhere: an O_PATH descriptor that keeps
 * it alive. */
int cgroup_mount_unattached(const char *path, struct nook_error *e);
/* Reads a small file of the group into BUF (terminated): its length or -errno, nothing recorded. */
ssize_t cgroup_read(int dir, const char *file, char *buf, size_t size);
/* Does this content of a cgroup.procs file name the caller and nobody else? */
bool cgroup_is_only_member(const char *procs);
/* Every v2 group has a cgroup.controllers, no v1 group has one. */
bool cgroup_dir_is_v2(int dir);

/* Calls EACH for every group below DIR, the deepest first, and last for DIR itself with an empty name: PARENT/NAME is the
 * group, DIR its descriptor.  Stops at the first negative result. */
int cgroup_walk(int dir, int (*each)(int parent, const char *name, int dir, void *context), void *context);
/* Appends the pids of one group, without those below. */
int cgroup_read_pids(struct arena *a, int dir, pid_t **pids, size_t *n);
/* The same with those below. */
struct cgroup_pid_list {
	struct arena *arena;
	pid_t *pids;
	size_t n;
};
int cgroup_list_pids(int dir, struct cgroup_pid_list *list);
/* The directory that tells best who is a member: v2, else the freezer, else the first that exists: an O_PATH descriptor,
 * -ENOENT when there is none (nothing recorded). */
int cgroup_open_main(const struct cgroup *c);
/* The directory with a freezer: v2 or v1; as cgroup_open_main(). */
int cgroup_open_freezer(const struct cgroup *c, bool *ret_v2);
