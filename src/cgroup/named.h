/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups as people name them, on the command line and in cgconfig.conf:
 *
 *   cpu,memory:lab/a   the group lab/a of these controllers, wherever they live
 *   *:lab              of every controller that is mounted
 *   v2:lab             of the v2 tree, without asking for a controller
 *   name=systemd:x     of a named hierarchy
 *   lab                of every hierarchy in which it exists
 */
#pragma once

#include "cgroup/cgroup.h"

struct cgroup_named {
	struct cgroup_dir *dirs;
	const char **lists; /* for each: its controllers as they were asked for, "cpu,memory" */
	size_t n;
	const char *path;   /* "lab/a", "" is the top */
};

/* Nothing is touched; a group of named controllers need not exist. */
int cgroup_named(struct arena *a, const struct cgroup_layout *l, const char *text, struct cgroup_named *ret, struct nook_error *e);
/* The index of the directory that has FILE ("memory.max") by the controller in its name, or -1. */
int cgroup_named_find(const struct cgroup_layout *l, const struct cgroup_named *g, const char *file);
/* What the other cgroup version calls a file, or NULL. */
const char *cgroup_other_name(const char *file);
