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
	const char *mount;    /* "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"; NULL: mounted nowhere */
	const char *self;     /* directory of the caller's own group, below mount; NULL when the mount does not show it */
	const char *list;     /* v1: its controllers as the kernel writes them, "cpu,cpuacct"; v2: "" */
	unsigned controllers; /* bit per enum cgroup_controller that lives here */
	bool v2;
	bool readonly;        /* mounted read-only */
	bool shown;           /* set by cgroup_layout_show() */
};

/* What this machine has; read from /proc/self/cgroup, /proc/self/mountinfo and the v2 tree's cgroup.controllers. */
struct cgroup_layout {
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	size_t n;
	int v2;            /* index of the v2 hierarchy, -1 if none */
	bool hybrid;       /* v1 controllers beside a v2 tree */
	int proc;          /* where it was read */
	bool all_ours;     /* set by who knows: the caller is the machine's root, who may make groups wherever they are writable */
};
/* PROC is a descriptor of a directory like /proc (AT_FDCWD: the real one), so that tests bring their own. */
int cgroup_layout_read(struct arena *a, int proc, struct cgroup_layout *ret, struct nook_error *e);
/* Controllers of this kernel that are in use nowhere, so that a v1 hierarchy could be made for them: bits. */
unsigned cgroup_layout_spare(const struct cgroup_layout *l);
/* The container is shown SOURCE, a directory of the host: it gets a group also in the hierarchies without controllers that
 * are mounted there or one below (name=systemd).  A systemd inside works below its own group. */
void cgroup_layout_show(struct cgroup_layout *l, const char *source);
/* The hierarchy a controller lives in, or -1. */
int cgroup_layout_find(const struct cgroup_layout *l, enum cgroup_controller c);
/* From "memory", "io", ...; -1 when unknown. */
int cgroup_controller_find(const char *name, size_t len);
/* "cpu,cpuacct" or "cpu io memory" as bits; unknown names are passed over. */
unsigned cgroup_controllers_in(const char *list);

/* ---- what a container needs: computed, nothing touched ------------------------------------------------------------ */

/* A group is named by its absolute directory, or, in a v1 hierarchy that is mounted nowhere, by "CONTROLLERS:/PATH" as
 * /proc/PID/cgroup spells it ("net_cls:/nook-ID"): such a hierarchy is mounted, unattached, while a descriptor of it is
 * held, and released when its last group is removed.  Every function here that takes a directory takes both. */
struct cgroup_write {
	int dir;           /* index into cgroup_want.dirs */
	const char *file;  /* "A|B": B where the kernel has no A; then value is "for A|for B" */
	const char *value;
	bool optional;     /* a default that the machine may lack: a note, no error */
};
struct cgroup_dir {
	const char *path;
	const char *mount;   /* the hierarchy's top: directories above PATH are made from here on */
	const char *prepare; /* v2: "+pids +memory" for the subtree_control of the directories above; v1 cpuset: "cpuset", so
	                        that empty cpus and mems are filled from above; else "" */
	bool v2;
	bool given;          /* a service manager made it, or may have: there may be processes in it */
};
struct cgroup_bpf {
	int dir;
	uint32_t prog_type, attach_type; /* BPF_PROG_TYPE_CGROUP_DEVICE ... */
	const void *insns;               /* struct bpf_insn */
	size_t n_insns;
	const char *what;
};
struct cgroup_want {
	struct cgroup_dir *dirs;
	size_t n_dirs;
	struct cgroup_write *writes; /* in the order in which they must happen */
	size_t n_writes;
	struct cgroup_bpf *bpf;
	size_t n_bpf;
	const char **notes;      /* what is not enforced here and why; NULL-terminated or NULL */
	size_t n_notes;
	int into;                /* index of the v2 directory for CLONE_INTO_CGROUP, -1 */
};
/* PATH: "nook-ID" or OCI's cgroupsPath.  One that starts with "/" counts from the top of each hierarchy, another from the
 * top when the caller may make groups there, else from the nearest group above the caller's own that was delegated to it.
 * A limit that was asked for and cannot be had is an error; a default becomes a note. */
int cgroup_want(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const char *path,
                struct cgroup_want *ret, struct nook_error *e);

struct cgroup;
/* The same for groups that a service manager has made: EXISTING has one directory in each hierarchy in which it did, all
 * with the same path.  The container gets that path everywhere. */
int cgroup_want_in(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const struct cgroup *existing,
                   struct cgroup_want *ret, struct nook_error *e);
/* The groups of process PID whose path ends with SUFFIX ("/nook-c.scope"), one in each hierarchy that is mounted. */
int cgroup_of_process(struct arena *a, const struct cgroup_layout *l, pid_t pid, const char *suffix, struct cgroup *ret,
                      struct nook_error *e);

/* v2's weight, 1..10000, as the shares that become this very weight again. */
uint64_t cgroup_shares_of_weight(uint64_t weight);

/* ---- doing, without allocation: for launch/ ------------------------------------------------------------------------- */

/* Makes the group with the directories above it and returns an O_PATH descriptor of it (good for CLONE_INTO_CGROUP,
 * openat(2) and BPF).  Where the caller is the only process of a v2 group above that must pass controllers on, it moves
 * into "nook-supervisor" below that group.  -EBUSY when it exists and has processes in it; an empty left-over is taken. */
int cgroup_dir_make(const char *path, const char *mount, const char *prepare, struct nook_error *e);
/* The same for a group that nothing is to be done in but to join it. */
int cgroup_dir_add(const char *path, const char *mount, const char *prepare, struct nook_error *e);
/* The same for one that may exist with processes in it. */
int cgroup_dir_ensure(const char *path, const char *mount, const char *prepare, struct nook_error *e);
/* An O_PATH descriptor of an existing group. */
int cgroup_dir_open(const char *path, struct nook_error *e);
/* One limit in the group DIR.  Returns 1 when it was OPTIONAL and could not be had. */
int cgroup_limit(int dir, const char *file, const char *value, bool optional, struct nook_error *e);
/* Joining.  Writing a pid to cgroup.procs waits for an RCU grace period (6 ms median on an idle machine).  Two ways have
 * no such wait, so a start uses nothing else: CLONE_INTO_CGROUP on v2, and on v1 the new process itself, while it has one
 * thread, writes "0" to the descriptor that this returns (opened by the parent: the opener's rights count): 8-25 us.
 * NAME is "tasks" in the group DIR, or the path of that file. */
int cgroup_join_open(int dir, const char *name, struct nook_error *e);
int cgroup_join(int join_fd, struct nook_error *e);
/* Loads the program and attaches it to the group; it stays as long as the group.  MODE_REPLACE puts it in the place of
 * the program of that type that nook attached before, in one step. */
enum cgroup_bpf_mode { CGROUP_BPF_ADD, CGROUP_BPF_REPLACE };
int cgroup_bpf_attach(int dir, uint32_t prog_type, uint32_t attach_type, const void *insns, size_t n_insns,
                      enum cgroup_bpf_mode mode, struct nook_error *e);

/* ---- a group that exists -------------------------------------------------------------------------------------------- */

/* A container's group as its state remembers it. */
struct cgroup {
	const char **dirs; /* as cgroup_dir.path */
	size_t n;
};

/* Moves a process (all its threads) into each directory; see cgroup_join_open() for what that costs. */
int cgroup_attach(const struct cgroup *c, pid_t pid, struct nook_error *e);
/* Changes limits: only what is set in R; orders writes so that no step is refused (limit before memory + swap or after). */
int cgroup_update(struct arena *a, const struct cgroup_layout *l, const struct cgroup *c, const struct spec_resources *r,
                  struct nook_error *e);
/* The groups that the container has, and behind them those that these limits need in addition: to be remembered before
 * cgroup_update() is called with them, which makes what is missing and moves the members in. */
int cgroup_update_groups(struct arena *a, const struct cgroup_layout *l, const struct cgroup *c, const struct spec_resources *r,
                         struct cgroup *ret, struct nook_error *e);
/* Freezes or thaws and returns when the kernel says it is done (cgroup.events / freezer.state), or -ETIMEDOUT. */
int cgroup_freeze(const struct cgroup *c, int timeout_ms, struct nook_error *e);
int cgroup_thaw(const struct cgroup *c, struct nook_error *e);
int cgroup_is_frozen(const struct cgroup *c);
/* The same for many groups one after the other, which mostly lie in one directory: it stays open in between. */
struct cgroup_look {
	const char *dir; /* that directory is its first LEN bytes; borrowed from the group that was looked at */
	size_t len;
	int fd;
};
#define CGROUP_LOOK_INIT {.fd = -EBADF}
void cgroup_look_done(struct cgroup_look *look);
int cgroup_is_frozen_at(const struct cgroup *c, struct cgroup_look *look);
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
	struct opt_u64 pids, pids_peak, pids_limit;
	struct opt_u64 io_read_bytes, io_write_bytes, io_reads, io_writes;
	struct opt_u64 cpu_some_us, memory_some_us, io_some_us; /* pressure, total stall time */
};
int cgroup_stats(struct arena *a, const struct cgroup *c, struct cgroup_stats *ret, struct nook_error *e);

/* What the first of its groups that has FILE says in it; "" when none has. */
const char *cgroup_text(struct arena *a, const struct cgroup *c, const char *file);

/* Watching for the end of its memory. */
struct cgroup_oom {
	int fd;  /* to be polled; -EBADF: it has no memory group */
	int dir;
	bool v2;
	uint64_t kills;
};
int cgroup_oom_watch(const struct cgroup *c, struct cgroup_oom *ret, struct nook_error *e);
/* FD is readable: has a process been killed for want of memory since the last call? */
bool cgroup_oom_seen(struct cgroup_oom *w);
void cgroup_oom_done(struct cgroup_oom *w);

/* ---- any process tree ----------------------------------------------------------------------------------------------- */

/* Freezes PID and all that descend from it, whatever groups they are in: each moves into a group "nook-paused-PID" made
 * below its own, so that its limits stay.  The caller itself is left out.  On failure all are as before. */
int cgroup_pause_tree(pid_t pid, int timeout_ms, struct nook_error *e);
/* Thaws them and puts them back; -ENOENT when PID was not paused that way. */
int cgroup_unpause_tree(pid_t pid, struct nook_error *e);
