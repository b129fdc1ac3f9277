/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The compiler from a spec to a plan.  Everything that depends on the machine is in struct plan_host, so that the same
 * spec and the same host always give the same plan, whatever machine the tests run on.
 */
#pragma once

#include "cgroup/cgroup.h"
#include "plan/plan.h"
#include "spec/spec.h"

struct plan_host {
	bool privileged;      /* CAP_SYS_ADMIN in the user namespace that owns the mounts: may copy mounts before clone(2) */
	bool first_userns;    /* the initial user namespace: all ids are mapped to themselves */
	bool can_mknod;       /* nodes of the initial user namespace can be made */
	unsigned kernel;      /* KERNEL(major, minor) of sys/kernel.h */
	uint32_t euid, egid;
	uint64_t permitted;   /* capabilities */
	uint64_t nofile_max;  /* the caller's hard limit of open files; 0: unknown */
	bool may_raise;       /* CAP_SYS_RESOURCE: may raise hard limits */
	const struct cgroup_layout *cgroups; /* NULL: the container gets no group */
};
/* Asks the kernel: few calls, nothing cached. */
int plan_host_probe(struct plan_host *ret, struct nook_error *e);
/* Is it the machine's root with its rights, to whom no directory of a cgroup file system is refused? */
bool plan_host_is_root(const struct plan_host *h);
/* Has each process's pidfd an inode number of its own, never used twice? (kernel 6.10) */
bool plan_host_has_pidfs(const struct plan_host *h);
/* Can a tree be copied with other attributes in one call? (kernel 6.15) */
bool plan_host_has_open_tree_attr(const struct plan_host *h);
/* Does tmpfs keep user.* attributes, which an overlay in a user namespace needs for its marks? (kernel 6.6) */
bool plan_host_has_user_xattr(const struct plan_host *h);
/* Can a tmpfs be mounted with mapped ids? (kernel 6.3) */
bool plan_host_maps_tmpfs(const struct plan_host *h);

struct plan_request {
	const struct spec *spec;
	const struct plan_host *host;
	const struct cgroup_want *cgroups; /* what cgroup_want() said; NULL: no groups */
	bool idmap_helper;       /* maps are written by newuidmap(1) */
	bool maps_elsewhere;     /* somebody else writes the maps of the user namespace */
	bool deny_setgroups;     /* a single-id map without rights */
	const char *id;          /* names what is the container's own in tables of the machine (resctrl); NULL: nothing is */
	const char *gate_dir;    /* directory of the gate socket, or NULL: no gate */
	const char *gate_name;
	const char *hook_state;  /* state document for hooks, with %PID% */
	const char *hook_state_created; /* the same for those of startContainer */
};

struct plan_result {
	struct plan *plan;      /* the caller's, plan_free() */
	const char **notes;     /* what is not enforced here, NULL-terminated; from ARENA */
	size_t n_notes;
};

/* The resctrl class that linux.intelRdt means for the container ID: "." is the default one. */
const char *plan_rdt_class(const struct spec_rdt *rdt, const char *id);
int plan_build(struct arena *a, const struct plan_request *q, struct plan_result *ret, struct nook_error *e);

/* Mounts for a container that runs: their sources opened (PREPARE), then attached below its root (BUILD). */
int plan_build_mounts(struct arena *a, const struct spec *spec, struct plan **ret, struct nook_error *e);

/* exec: a plan that enters a running container.  Rights, filters and limits come from the plan OF with which it was
 * started; PROCESS says the rest, and what it leaves open (user, directory, environment) is the container's. */
struct plan_join {
	const struct plan *of;
	const char *const *ns_files; /* by ns_kind: nsfs files of what is entered, NULL where it is the host's; or NULL: PID says */
	bool user_last;              /* with them: the caller has rights over what the user namespace does not own */
	pid_t pid;                   /* its first process */
	uint64_t pid_start;
	const struct spec_process *process;
	bool has_user;               /* process->user is meant even when it has no name */
	bool whole;                  /* PROCESS says everything, rights and limits too: only filters come from the plan */
	const char *const *cgroups;  /* in the place of the plan's groups, in their order, and then more; NULL: the plan's */
};
int plan_build_join(struct arena *a, const struct plan_join *ask, struct plan **ret, struct nook_error *e);
