/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroups on v2, v1 and hybrid machines.  A container's cgroup is a set of directories, one in each hierarchy that is
 * used.  Limits are rows of one table that spells each for v1 and v2; freezing, killing, device rules and statistics
 * have a v1 and a v2 way behind one function each.
 */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "spec/spec.h"

#include <limits.h>

enum cgroup_controller {
	CGROUP_CPU, CGROUP_CPUACCT, CGROUP_CPUSET, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_BLKIO, CGROUP_DEVICES, CGROUP_FREEZER,
	CGROUP_HUGETLB, CGROUP_NET_CLS, CGROUP_NET_PRIO, CGROUP_PERF_EVENT, CGROUP_RDMA, CGROUP_MISC, CGROUP_CONTROLLERS,
};
extern const char *const cgroup_names[CGROUP_CONTROLLERS]; /* v1 names; blkio is "io" on v2 */

enum { CGROUP_HIERARCHIES_MAX = 24 };

struct cgroup_hierarchy {
	const char *mount;    /* "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified", "/sys/fs/cgroup" */
	const char *self;     /* the caller's own group in it: "/", "/user.slice/..." */
	unsigned controllers; /* bit per enum cgroup_controller that lives here */
	bool v2;
	bool writable;        /* the caller may make groups below self (or below the root, when it is root) */
	bool on_demand;       /* v1, compiled in, not mounted: nook mounts it in a private place when asked for */
};

/* What this machine has; read from /proc/self/mountinfo, /proc/self/cgroup and /proc/cgroups. */
struct cgroup_layout {
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	size_t n;
	int v2;      /* index of the v2 hierarchy, -1 if none */
	bool hybrid; /* v1 controllers beside a v2 tree */
};
/* PROC is a descriptor of a directory like /proc (AT_FDCWD: the real one), so that tests bring their own. */
int cgroup_layout_read(struct arena *a, int proc, struct cgroup_layout *ret, struct nook_error *e);

/* ---- what a container needs: computed, nothing touched ------------------------------------------------------------ */

struct cgroup_write {
	int dir;           /* index into cgroup_want.dirs */
	const char *file, *value;
	bool optional;     /* a default that the machine may lack: a note, no error */
};
struct cgroup_dir {
	const char *path;  /* absolute, "/sys/fs/cgroup/pids/nook/ID" */
	int hierarchy;
	bool v2;
};
struct cgroup_bpf {
	int dir;
	uint32_t prog_type, attach_type; /* BPF_PROG_TYPE_CGROUP_DEVICE ... */
	const void *insns;               /* struct bpf_insn */
	size_t n_insns;
	const char *what;
};
struct cgroup_want {
	struct cgroup_dir *dirs; /* parents are made as needed, with v2 controllers enabled on the way */
	size_t n_dirs;
	struct cgroup_write *writes; /* in the order in which they must happen */
	size_t n_writes;
	struct cgroup_bpf *bpf;
	size_t n_bpf;
	const char **notes;      /* what is not enforced here and why; NULL-terminated */
	size_t n_notes;
	int into;                /* index of the v2 directory for CLONE_INTO_CGROUP, -1 */
};
/* PATH: "nook/ID" or OCI's cgroupsPath; relative ones start at the caller's own group when it is delegated, else at the
 * top.  A limit that was asked for and cannot be had is an error; a default becomes a note. */
int cgroup_want(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const char *path,
                struct cgroup_want *ret, struct nook_error *e);

/* ---- doing: used by launch/ (no allocation) and by the commands ---------------------------------------------------- */

/* Makes one directory with its parents, enabling v2 controllers on the way; -EEXIST when it exists with processes in it. */
int cgroup_dir_make(const char *path, const char *mount, bool v2, struct nook_error *e);

/* A container's group as its state remembers it. */
struct cgroup {
	const char **dirs; /* absolute paths */
	bool *v2;
	size_t n;
};

int cgroup_attach(const struct cgroup *c, pid_t pid, struct nook_error *e);
int cgroup_update(struct arena *a, const struct cgroup_layout *l, const struct cgroup *c, const struct spec_resources *r,
                  struct nook_error *e);
/* Freezes or thaws and returns when the kernel says it is done (cgroup.events / freezer.state), or -ETIMEDOUT. */
int cgroup_freeze(const struct cgroup *c, int timeout_ms, struct nook_error *e);
int cgroup_thaw(const struct cgroup *c, struct nook_error *e);
int cgroup_is_frozen(const struct cgroup *c);
/* Signals every process, those in sub-groups too; SIGKILL uses cgroup.kill or freeze, kill, thaw. */
int cgroup_signal(const struct cgroup *c, int sig, struct nook_error *e);
/* The pids in it, in the caller's pid namespace: in *ret from the arena; the count. */
int cgroup_pids(struct arena *a, const struct cgroup *c, pid_t **ret, struct nook_error *e);
/* Removes the directories with what is below; waits (on events, bounded) for dying processes. Absent ones are fine. */
int cgroup_remove(const struct cgroup *c, struct nook_error *e);

struct cgroup_stats {
	struct opt_u64 cpu_total_ns, cpu_user_ns, cpu_system_ns, cpu_periods, cpu_throttled, cpu_throttled_ns;
	uint64_t *per_cpu_ns;
	size_t n_cpus;
	struct opt_u64 memory, memory_peak, memory_limit, memory_swap, memory_cache, memory_rss, memory_failures, oom_kills;
	struct opt_u64 pids, pids_limit;
	struct opt_u64 io_read_bytes, io_write_bytes, io_reads, io_writes;
	struct opt_u64 cpu_some_us, memory_some_us, io_some_us; /* pressure, total stall time */
};
int cgroup_stats(struct arena *a, const struct cgroup *c, struct cgroup_stats *ret, struct nook_error *e);
