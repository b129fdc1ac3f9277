/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scope of systemd for a container that is about to start.  systemd makes a scope around a process that exists, so one
 * is made that does nothing: it holds the scope until the container's first process has been born into its groups.
 * When nook-oci is killed meanwhile it ends, too, and systemd takes the empty scope away.
 */
#pragma once

#include "cgroup/cgroup.h"
#include "cgroup/systemd.h"
#include "oci/oci.h"

struct scope {
	struct systemd_unit unit;
	struct cgroup groups; /* in the hierarchies that systemd uses */
	pid_t holder;         /* 0: none any more */
};

/* For the container ID of S: its cgroupsPath, limits and annotations (org.systemd.property.*, run.oci.systemd.subgroup). */
int scope_start(struct oci *o, const struct spec *s, const char *id, const struct cgroup_layout *l, struct scope *ret,
	struct nook_error *e);
/* Ends the holder; may be called twice. */
void scope_release(struct scope *s);
/* Moves PID into GROUP, which is that of the container's scope or one below it. */
int scope_attach(const struct container *c, pid_t pid, const char *group, struct nook_error *e);
/* New limits for the scope of a container that runs; nothing when it has none. */
int scope_update(const struct container *c, const struct spec_resources *r, struct nook_error *e);
