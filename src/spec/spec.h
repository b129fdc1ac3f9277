/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct spec: the one description of a container, a superset of the OCI runtime-spec 1.3 (config.md, config-linux.md).
 * Every front end (nook run, nook-oci, nook box, libnook) ends here; nothing below knows which front end it was.
 * All memory belongs to the spec's arena.  A zeroed member means "not asked for" everywhere.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "base/value.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- namespaces -------------------------------------------------------------------------------------------------- */

enum ns_kind { NS_USER, NS_MNT, NS_PID, NS_NET, NS_UTS, NS_IPC, NS_CGROUP, NS_TIME, NS_COUNT };

enum ns_mode {
	NS_HOST,    /* stay in the caller's (0: what OCI means by a kind that is not listed) */
	NS_PRIVATE, /* a new one */
	NS_PATH,    /* join ns[kind].path */
};

struct spec_ns {
	enum ns_mode mode;
	const char *path; /* NS_PATH: an nsfs file; front ends resolve container:ID to one */
};

/* One line of uid_map or gid_map: container id, host id, count. */
struct spec_idmap {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

struct spec_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

/* ---- file system ------------------------------------------------------------------------------------------------- */

enum root_kind {
	ROOT_DIR,     /* root.path is used in place */
	ROOT_OVERLAY, /* root.path is a read-only lower layer; changes go to root.upper or a throw-away tmpfs */
	ROOT_TMPFS,   /* an empty tmpfs: the root of a box */
};

/* A file system in a file. */
struct spec_disk {
	const char *path;   /* absolute */
	const char *fstype; /* one of fsimage_names */
	bool readonly;      /* the file is not written, and others may use it so at the same time */
};

struct spec_root {
	enum root_kind kind;
	const char *path;          /* absolute; ROOT_OVERLAY: the topmost lower layer */
	const char *const *lowers; /* further lower layers below path, topmost first; NULL-terminated or NULL */
	const char *upper;         /* ROOT_OVERLAY: directory that keeps "upper" and "work"; NULL: tmpfs, thrown away */
	uint64_t upper_bytes;      /* size of the throw-away tmpfs, 0: half of memory */
	const struct spec_disk *disk;       /* what is at path: the root of this disk; NULL: a directory */
	const struct spec_disk *upper_disk; /* the same for upper */
	bool readonly;
	bool copied;               /* the files at path belong to the container's ids as they are: nothing is mapped */
	bool host;                 /* path is the host's own "/": submounts come along read-only */
	unsigned long propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE | MS_REC; 0: private */
};

/* Attribute words (ro, nosuid, ...) as MOUNT_ATTR_* bits to set and to clear, and the same for the whole subtree. */
struct mount_words {
	uint64_t set, clear;     /* this mount */
	uint64_t rec_set, rec_clear; /* recursively: rro, rnosuid, ... */
	unsigned long propagation;   /* MS_* | MS_REC or 0 */
	bool bind, rbind;
	bool idmap, ridmap;      /* map ids of the source through the mount's or the container's maps */
	bool relative_maps;      /* the mount's own maps give container ids, not host ids: resolved through the user namespace */
	bool noidmap;            /* never, even where the default is to map */
	bool tmpcopyup;
	bool copy_symlink;       /* the source is a symlink: make the same link, mount nothing */
	bool src_nofollow, dest_nofollow;
	bool if_exists;          /* skip when the source is missing */
	uint32_t sb_flags;       /* superblock: SB_RDONLY, SB_SYNCHRONOUS, SB_LAZYTIME, ... (MS_ values) */
};

/* Layers that are shown as one tree, in the place of a source. */
struct spec_layers {
	const char *const *lowers;  /* topmost first, NULL-terminated */
	const char *keep;           /* a directory of nook's own that keeps the changes (sys/keepdir.h), or NULL */
	const char *original;       /* with keep: what it changes */
	const char *upper, *work;   /* or directories as somebody else made them; neither: a tmpfs that is thrown away */
	bool readonly;              /* or no changes at all */
	uint64_t bytes;             /* size of that tmpfs, 0: half of memory */
};

/* Something that is made in the tree, in its turn among the mounts. */
enum make_kind {
	MAKE_DIR,      /* a directory; one that is there is fine */
	MAKE_FILE,     /* a file with this content, in what is mounted there */
	MAKE_DATA,     /* the same, shown by a mount of its own */
	MAKE_LINK,     /* a symbolic link that says TEXT; the same link that is there is fine */
	MAKE_MODE,     /* only the mode */
	MAKE_READONLY, /* the mount that is there, and none below it */
};
struct spec_make {
	enum make_kind kind;
	const char *text;
	const void *data;
	size_t size;
	uint32_t mode;
	bool readonly; /* MAKE_DATA */
};

struct spec_mount {
	const char *target;  /* inside the container; a relative one is taken from "/" */
	const char *type;    /* "bind" or a file system type; NULL: bind when words.bind/rbind, error otherwise */
	const char *source;
	const char *const *options; /* as given, NULL-terminated: kept so that the spec can be written again */
	struct mount_words words;   /* parsed from options by mount_words_parse() */
	const char *data;           /* the options that are for the file system: "size=64m,mode=1777" or NULL */
	struct spec_idmap *uid_maps, *gid_maps; /* of this mount alone */
	size_t n_uid_maps, n_gid_maps;
	struct opt_u64 source_fd;         /* a bind: the source is what this descriptor of the caller's is */
	const struct spec_make *make;     /* no mount: type and source say nothing */
	const struct spec_layers *layers; /* an overlay: type and source say nothing */
	const struct spec_disk *disk; /* a bind of the root of this disk; source is its path */
	bool copyup;   /* a bind of what is still empty: fill it with what the root has there */
	bool standard; /* one of the mounts every container has; for --explain */
};

/* A file that exists in the container alone: read-only, with this content. */
struct spec_file {
	const char *target;
	const void *data;
	size_t size;
	const char *staging; /* a name in a tmpfs of the container's own, free while the file is made */
};

struct spec_device {
	const char *path;
	char type; /* 'c', 'b', 'u' (= c), 'p' */
	int64_t major, minor;
	bool has_mode, has_uid, has_gid;
	uint32_t mode, uid, gid;
	const char *source; /* host node to take instead of major:minor (--device), or NULL */
};

/* Processors and memory nodes have numbers below this. */
enum { NUMBERS_MAX = 1024 };

/* ---- process ----------------------------------------------------------------------------------------------------- */

enum cap_set { CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_PERMITTED, CAPS_INHERITABLE, CAPS_AMBIENT, CAPS_SETS };

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
	bool clamp;   /* a default: lower it to what the caller may have, instead of failing */
};

struct spec_user {
	const char *name; /* "user", "user:group", "1000:1000" to be looked up in the container, or NULL when ids are set */
	uint32_t uid, gid;
	uint32_t *groups;
	size_t n_groups;
	const char *const *group_names; /* --group-add by name, NULL-terminated or NULL */
	bool has_umask;
	uint32_t umask;
	bool no_home;     /* HOME is not set for it */
	bool keep_groups; /* annotation run.oci.keep_original_groups */
};

struct spec_scheduler {
	bool set;
	uint32_t policy; /* SCHED_* */
	int32_t nice;
	uint32_t priority;
	uint64_t flags; /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period;
};

struct spec_process {
	const char *const *argv; /* NULL-terminated */
	const char *program;     /* what is executed, NULL: argv[0] */
	const char *const *env;  /* NULL-terminated; the last of equal names wins */
	const char *cwd;         /* absolute, "/" when NULL */
	const char *const *cwd_try; /* instead: the first of these that is there, NULL-terminated; PWD says which */
	bool terminal;
	uint16_t rows, columns;  /* 0: unset */
	struct spec_user user;
	bool has_caps;           /* false: keep the caller's bounding set, as OCI's absent "capabilities" */
	uint64_t caps[CAPS_SETS];
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privs;
	struct opt_i64 oom_score_adj;
	bool oom_score_adj_clamp;
	struct opt_i64 nice;
	struct spec_scheduler scheduler;
	struct opt_u64 ioprio; /* class << 13 | level */
	const char *cpu_affinity_initial, *cpu_affinity_final; /* cpu lists, for a process that joins a container */
	bool all_processors;     /* whatever the caller is bound to: all that the container's group may use */
	const char *apparmor, *selinux;
	bool init;               /* nook's reaper is pid 1, the command its child */
	bool same_session;       /* stay in the caller's session, with its terminal */
	bool new_keyring;
	const char *keyring_name; /* NULL: anonymous */
	unsigned preserve_fds;   /* 3 .. 3+n-1 stay open */
	const uint32_t *keep_fds; /* and these */
	size_t n_keep_fds;
	bool die_with_parent;
	bool landlock_scope;     /* Landlock: no signals and abstract sockets across the container's edge */
};

/* ---- resources --------------------------------------------------------------------------------------------------- */

struct spec_device_rule {
	bool allow;
	char type;           /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	unsigned access;     /* DEV_READ | DEV_WRITE | DEV_MKNOD */
};
enum { DEV_READ = 1, DEV_WRITE = 2, DEV_MKNOD = 4 };

struct spec_blkio_device { /* one device's weight or throttle */
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight, read_bps, write_bps, read_iops, write_iops;
};
struct spec_hugepage {
	const char *size; /* "2MB" */
	uint64_t limit;
	bool rsvd;     /* of reservations */
	bool rsvd_too; /* of both, as OCI means it */
};
struct spec_rdma {
	const char *device;
	struct opt_u64 handles, objects;
};
struct spec_ifprio {
	const char *name;
	uint32_t priority;
};
struct spec_pair {
	const char *key, *value;
};

/* Limits as OCI config-linux.md names and means them (v1 units); cgroup/ spells them for v1 and v2. */
struct spec_resources {
	struct opt_u64 cpu_shares;                 /* 2..262144 */
	struct opt_i64 cpu_quota;                  /* us per period; -1 none */
	struct opt_u64 cpu_period, cpu_burst;      /* us */
	struct opt_i64 cpu_rt_runtime;
	struct opt_u64 cpu_rt_period;
	struct opt_i64 cpu_idle;
	const char *cpuset_cpus, *cpuset_mems;
	struct opt_i64 memory_limit, memory_swap, memory_reservation; /* bytes; -1 none; swap is memory + swap */
	struct opt_i64 memory_kernel, memory_kernel_tcp;
	struct opt_u64 memory_swappiness;
	bool memory_oom_kill_disable, memory_oom_group, memory_use_hierarchy, memory_check_before_update;
	struct opt_i64 pids_limit;                 /* -1 or 0 none */
	bool pids_limit_clamp;                     /* a default: a machine without a pids controller gives a note */
	struct opt_u64 blkio_weight, blkio_leaf_weight; /* 10..1000 */
	struct spec_blkio_device *blkio_devices;
	size_t n_blkio_devices;
	struct spec_hugepage *hugepages;
	size_t n_hugepages;
	struct opt_u64 net_classid;
	struct spec_ifprio *net_prios;
	size_t n_net_prios;
	struct spec_rdma *rdma;
	size_t n_rdma;
	struct spec_pair *misc;    /* misc.max: key = resource, value = number or "max" */
	size_t n_misc;
	struct spec_pair *unified; /* v2 file and its content */
	size_t n_unified;
	struct spec_device_rule *devices; /* in order; empty: no device rules at all */
	size_t n_devices;
	bool perf_event;           /* make a perf_event group too */
};

/* ---- security ---------------------------------------------------------------------------------------------------- */

/* Arguments as seccomp(2) sees them. */
struct seccomp_arg {
	uint32_t index;
	uint32_t op; /* enum scmp_compare's order: NE LT LE EQ GE GT MASKED_EQ, from 1 */
	uint64_t value, value_two;
};

struct seccomp_rule {
	const char *const *names; /* NULL-terminated */
	uint32_t action;          /* SECCOMP_RET_* */
	struct opt_u64 errno_ret;
	struct seccomp_arg *args;
	size_t n_args;
};

enum seccomp_source {
	SECCOMP_NONE,    /* no filter */
	SECCOMP_DEFAULT, /* nook's own profile, compiled into the program */
	SECCOMP_PROFILE, /* the members below, from OCI or docker JSON */
	SECCOMP_FILTER,  /* a finished program, from a container's plan */
};

struct spec_seccomp {
	enum seccomp_source source;
	uint32_t default_action;
	struct opt_u64 default_errno;
	const char *const *archs; /* SCMP_ARCH_* names beside the native one, NULL-terminated or NULL */
	struct seccomp_rule *rules;
	size_t n_rules;
	uint32_t flags;           /* SECCOMP_FILTER_FLAG_* */
	bool has_flags;
	bool only_known;          /* a name that no ABI here knows is an error */
	bool nesting;             /* SECCOMP_DEFAULT: allow what another container manager inside needs */
	bool foreign_archs;       /* SECCOMP_DEFAULT: allow i386 and x32 as well */
	const char *listener_path, *listener_metadata;
	bool observed;            /* its listener goes to launch()'s caller, in whatever process the command is */
	const void *filter;       /* SECCOMP_FILTER: struct sock_filter, borrowed */
	size_t n_filter;
};

struct spec_landlock_rule {
	const char *path; /* inside the container */
	bool write;
};

struct spec_landlock {
	struct spec_landlock_rule *rules;
	size_t n_rules;
	bool optional;   /* skip on a kernel without Landlock instead of failing */
	bool any_reason; /* skip whatever the reason is */
};

/* ---- hooks ------------------------------------------------------------------------------------------------------- */

enum hook_kind { HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER, HOOK_START_CONTAINER, HOOK_POSTSTART, HOOK_POSTSTOP, HOOK_KINDS };

struct spec_hook {
	const char *path;
	const char *const *args, *const *env; /* NULL-terminated or NULL */
	struct opt_i64 timeout; /* seconds */
};

/* For poll(2) and its like, or 0 when it has none.  One of more than 24 days has none in it. */
static inline int spec_hook_ms(const struct spec_hook *h)
{
	return h->timeout.set && h->timeout.value <= INT_MAX / 1000 ? (int)h->timeout.value * 1000 : 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct spec_net_device { /* OCI linux.netDevices */
	const char *host_name, *name;
};

struct spec_rdt {
	bool set;
	const char *clos_id, *l3_schema, *mem_schema;
	const char *const *schemata;
	bool monitoring;
};

struct spec_memory_policy {
	bool set;
	uint32_t mode, flags; /* MPOL_* */
	const char *nodes;
};

struct spec {
	struct arena *arena;
	const char *oci_version;
	struct spec_ns ns[NS_COUNT];
	struct spec_idmap *uid_maps, *gid_maps; /* of the user namespace; empty with NS_PRIVATE: chosen by the runtime */
	size_t n_uid_maps, n_gid_maps;
	bool idmap_sources;    /* roots and bind sources are idmapped so that files keep their owners */
	struct spec_time_offset time_boottime, time_monotonic;
	const char *hostname, *domainname;
	struct spec_root root;
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_file *files; /* put in place once all is mounted */
	size_t n_files;
	struct spec_device *devices;
	size_t n_devices;
	const char *const *masked, *const *readonly; /* paths, NULL-terminated or NULL */
	bool default_masks;    /* nobody asked for them: those that cover what is out of reach anyway may be left out */
	bool default_devices;  /* the standard nodes and links of /dev */
	struct spec_process process;
	bool has_process;
	const char *cgroup_path;   /* OCI cgroupsPath or NULL: chosen from the id */
	const char *cgroup_delegate; /* a group below the container's on v2 that its first process moves to, or NULL */
	struct spec_resources resources;
	struct spec_seccomp seccomp;
	struct spec_seccomp seccomp_before; /* a second filter, loaded first: a call has to pass both */
	struct spec_seccomp *seccomp_more;  /* and more, loaded in their order before both */
	size_t n_seccomp_more;
	const char *const *locks;           /* files inside on which a read lock is held as long as it runs, or NULL */
	const char *last_userns;            /* a user namespace to enter once all is made, or NULL */
	const char *parent_pidns;           /* the pid namespace in which the own one is made, or NULL */
	struct opt_u64 start_fd;            /* the command starts when something can be read there */
	struct spec_landlock landlock;
	struct spec_pair *sysctls;
	size_t n_sysctls;
	struct spec_hook *hooks[HOOK_KINDS];
	size_t n_hooks[HOOK_KINDS];
	struct spec_pair *annotations;
	size_t n_annotations;
	const char *mount_label;
	const char *mount_context; /* the option that carries it: context (NULL), fscontext, defcontext or rootcontext */
	const char *hooks_stdout, *hooks_stderr; /* files that take what hooks say, or NULL */
	struct opt_u64 personality;
	struct spec_net_device *net_devices;
	size_t n_net_devices;
	struct spec_rdt rdt;
	struct spec_memory_policy memory_policy;
	bool net_loopback_up;  /* a private network namespace gets its loopback */
	uint16_t net_listen;   /* a port of its 127.0.0.1, whose listener goes to launch()'s caller; 0: none */
	bool no_pivot;
	bool new_core_sched;   /* a core scheduling cookie of its own */
};

struct spec *spec_new(void);
void spec_free(struct spec *s);
CLEANUP_DEFINE(struct spec *, spec_free)

/* Judges what no front end can know alone (conflicts, ranges); the message names the OCI member path. */
int spec_check(const struct spec *s, struct nook_error *e);
/* The part of it that judges a process. */
int spec_check_process(const struct spec_process *p, struct nook_error *e);

/* The annotation's value or NULL. */
const char *spec_annotation(const struct spec *s, const char *key);

/* Puts KEY = VALUE into a list kept sorted by key, in place of an earlier value. */
void spec_pair_set(struct arena *a, struct spec_pair **pairs, size_t *n, const char *key, const char *value);
/* The same for "KEY=VALUE", or "KEY" for an empty value. */
void spec_pair_text(struct arena *a, struct spec_pair **pairs, size_t *n, const char *text);

/* Has the container ids of its own, none of which is UID's?  Then nobody in it can be UID outside. */
bool spec_has_own_ids(const struct spec *s, uint32_t uid);

/* Appends a mount; OPTIONS is a comma list or NULL.  Strings are borrowed for the life of the spec.  RET may be NULL; it
 * is valid until the next mount is added. */
int spec_mount_add(struct spec *s, const char *target, const char *type, const char *source, const char *options,
                   struct spec_mount **ret, struct nook_error *e);
/* Is something mounted at TARGET, spelled like that? */
bool spec_mount_find(const struct spec *s, const char *target);

/* "pid", "mnt" ...: the names of /proc/PID/ns, and CLONE_NEW* bits, by ns_kind. */
extern const char *const ns_names[NS_COUNT];
extern const uint64_t ns_flags[NS_COUNT];
/* From "pid", "mount", "mnt", "network", ... ; -1 when unknown. */
int ns_kind_find(const char *name);
