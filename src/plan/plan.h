/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan: the ordered steps that make one container, with everything resolved.  It is one flat piece of memory (header,
 * steps, data) in which strings and arrays are offsets, so that it can be printed, compared, failed at every index and
 * handed to another process in a sealed memfd.  Whoever walks it neither allocates nor formats.
 *
 * Stages, in the order in which they happen:
 *   PREPARE  the parent, before clone(2), with the caller's rights: open sources, make cgroups
 *   JOIN     a process in between that enters existing namespaces (only when the plan joins any)
 *   EARLY    the child, at once, while the parent is busy with ADOPT
 *   ADOPT    the parent, after clone(2): id maps, idmapped mounts, cgroup membership; then it says "go"
 *   BUILD    the child: root, mounts, masks
 *   HOOKS    the parent, while the child waits: hooks that run before pivot_root(2)
 *   ENTER    the child: pivot_root, read-only root; with a gate identity and rights, too, then "ready", and it waits
 *   FINAL    the child: identity, rights, filters, exec
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum stage { STAGE_PREPARE, STAGE_JOIN, STAGE_EARLY, STAGE_ADOPT, STAGE_BUILD, STAGE_HOOKS, STAGE_ENTER, STAGE_FINAL, STAGE_COUNT };

/* An offset into the plan's data.  0 is "" and stands for "none". */
struct ref {
	uint32_t at;
};
/* N items from an offset on: strings one after the other (each ends with 0), or an array. */
struct refs {
	uint32_t at;
	uint32_t n;
};

enum { PLAN_SLOTS = 512, SLOT_NONE = -1, KEEP_MAX = 128, HELD_MAX = 64 };
/* A slot names a descriptor that one step makes and others use. */

/* The kinds of steps: enumerator, word, what it does and why (for --explain), error step. */
#define STEP_KINDS(X)                                                                                                             \
	X(DO_GATE, "gate", STEP_STATE, "a socket at which the container waits for its start")                                         \
	X(DO_OPEN_TREE, "open", STEP_SOURCE, "take a private copy of a mount while the host is still in sight")                       \
	X(DO_DISK, "disk", STEP_DISK, "mount the file system in a file where nobody but the container will see it")                   \
	X(DO_DEV_TREE, "dev", STEP_DEVICE, "build a fresh /dev in a tmpfs that is attached nowhere yet")                              \
	X(DO_KEEP, "keep", STEP_LOCK, "hold the directory that keeps the changes: one box at a time")                                 \
	X(DO_CGROUP_DIR, "cgroup", STEP_CGROUP, "make the container's own group in this hierarchy")                                   \
	X(DO_CGROUP_OPEN, "open cgroup", STEP_CGROUP, "hold an existing group")                                                       \
	X(DO_CGROUP_DOOR, "cgroup door", STEP_CGROUP, "open the file by which the first process will join")                           \
	X(DO_CGROUP_WRITE, "limit", STEP_LIMIT, "set a limit before anything runs under it")                                          \
	X(DO_CGROUP_BPF, "cgroup bpf", STEP_DEVICES, "attach a BPF program to the group")                                             \
	X(DO_OPEN_PID, "open process", STEP_CONTAINER, "hold the container's first process, and no other that got its number")         \
	X(DO_HOLD, "hold", STEP_FDS, "keep a descriptor of the caller's until it is used")                                            \
	X(DO_WAIT, "wait", STEP_WAIT, "wait until the caller says that the command may start")                                        \
	X(DO_LOCK, "lock", STEP_LOCK, "hold a lock on a file inside for as long as it runs")                                          \
	X(DO_OPEN_NS, "open ns", STEP_NAMESPACE, "hold an existing namespace")                                                        \
	X(DO_JOIN_NS, "join ns", STEP_NAMESPACE, "enter existing namespaces")                                                         \
	X(DO_UNSHARE, "unshare", STEP_NAMESPACE, "leave the caller's namespaces for new ones")                                       \
	X(DO_OWN_MAP, "own map", STEP_IDMAP, "say which ids stand behind one's own")                                                 \
	X(DO_SESSION, "session", STEP_STDIO, "leave the caller's session and terminal")                                               \
	X(DO_KEYRING, "keyring", STEP_KEYRING, "start a session keyring of its own: the caller's keys stay out of reach")             \
	X(DO_PARENT_DEATH, "tie", STEP_SIGNAL, "die when the supervisor dies")                                                        \
	X(DO_PROPAGATION, "propagation", STEP_MOUNT, "no mount made here may reach the host")                                         \
	X(DO_HOSTNAME, "hostname", STEP_HOSTNAME, "the container's own name")                                                         \
	X(DO_DOMAINNAME, "domainname", STEP_HOSTNAME, "the container's own NIS domain")                                               \
	X(DO_LOOPBACK, "loopback", STEP_NET, "bring lo up: a new network namespace has it down")                                      \
	X(DO_LISTEN, "listen", STEP_NET, "make a listening socket of the new network, which is served from outside")                   \
	X(DO_TIME, "time", STEP_NAMESPACE, "shift the clocks of the new time namespace")                                              \
	X(DO_IDMAP, "id map", STEP_IDMAP, "say which host ids stand behind the container's ids")                                      \
	X(DO_IDMAP_MOUNT, "idmap mount", STEP_ATTR, "map the ids of a mount, so that files keep their owners and nothing is chowned") \
	X(DO_CGROUP_JOIN, "join cgroup", STEP_CGROUP, "join the group itself, before it has threads: the kernel need not wait for anybody then")                                            \
	X(DO_OOM_SCORE, "oom score", STEP_PROC, "tell the kernel whom to kill first when memory is out")                              \
	X(DO_RLIMIT, "rlimit", STEP_RLIMIT, "resource limits of each process")                                                        \
	X(DO_NET_DEVICE, "net device", STEP_NET, "move a network device into the container")                                          \
	X(DO_HOOK_LOG, "hook log", STEP_HOOK, "open the file that takes what hooks say")                                                 \
	X(DO_HOOK_INSIDE, "inner hook", STEP_HOOK, "run a hook in the container's namespaces")                                          \
	X(DO_HOOK, "hook", STEP_HOOK, "run a hook")                                                                                   \
	X(DO_RDT, "rdt", STEP_LIMIT, "cache and memory bandwidth class")                                                              \
	X(DO_BECOME_ROOT, "become root", STEP_USER, "be uid 0 of the new user namespace while the file system is made")               \
	X(DO_CGROUP_NS, "cgroup ns", STEP_NAMESPACE, "make the container's group the top of what it sees")                            \
	X(DO_ROOT_ATTACH, "root", STEP_ROOT, "attach the root file system")                                                           \
	X(DO_ROOT_OVERLAY, "overlay", STEP_ROOT, "lay a writable layer over the root, which stays as it is")                          \
	X(DO_ROOT_TMPFS, "empty root", STEP_ROOT, "start from an empty root")                                                         \
	X(DO_OVERLAY, "layers", STEP_MOUNT, "show directories as one, with changes in a layer of their own")                          \
	X(DO_MOUNT, "mount", STEP_MOUNT, "mount a file system")                                                                       \
	X(DO_BIND, "bind", STEP_MOUNT, "show a file or directory of the host")                                                        \
	X(DO_SHOW, "show", STEP_MOUNT, "show a directory of the host's as it is seen from inside")                                     \
	X(DO_COPY_LINK, "link", STEP_TARGET, "make the same symbolic link")                                                           \
	X(DO_SYMLINK, "symlink", STEP_TARGET, "make a symbolic link")                                                                 \
	X(DO_PUT, "put", STEP_FILE, "put a file of the container's own there")                                                        \
	X(DO_MAKE, "make", STEP_TARGET, "make or change something in the tree")                                                       \
	X(DO_DEVICE, "device", STEP_DEVICE, "make a device node")                                                                     \
	X(DO_CONSOLE, "console", STEP_CONSOLE, "open a terminal of the container's own devpts and bind it to /dev/console")           \
	X(DO_MASK, "mask", STEP_MASK, "hide what tells of, or reaches, the host")                                                     \
	X(DO_READONLY, "read-only", STEP_MASK, "let it be read and not be written")                                                   \
	X(DO_PIVOT, "pivot", STEP_PIVOT, "make it the root and let go of the host's tree")                                            \
	X(DO_ROOT_READONLY, "root ro", STEP_ROOT, "the root itself cannot be written")                                                \
	X(DO_ROOT_PROPAGATION, "root propagation", STEP_ROOT, "how later mounts travel")                                              \
	X(DO_SYSCTL, "sysctl", STEP_SYSCTL, "set a kernel parameter of the new namespaces")                                           \
	X(DO_LOOKUP, "lookup", STEP_EXEC, "find the command before somebody waits for its start")                                     \
	X(DO_USER, "user", STEP_USER, "find the user in the container's own files")                                                   \
	X(DO_SCHED, "scheduler", STEP_SCHED, "scheduling policy, nice level, io priority")                                            \
	X(DO_AFFINITY, "affinity", STEP_SCHED, "the processors it may use")                                                           \
	X(DO_PERSONALITY, "personality", STEP_PROCESS, "execution domain")                                                               \
	X(DO_MEMPOLICY, "memory policy", STEP_MEMORY, "where its memory comes from")                                                  \
	X(DO_CORE_SCHED, "core sched", STEP_SCHED, "share no processor core with strangers")                                          \
	X(DO_CWD, "cwd", STEP_CWD, "go to the working directory and check that it is inside")                                         \
	X(DO_SET_IDS, "ids", STEP_USER, "become the user the command runs as")                                                        \
	X(DO_CAPS, "caps", STEP_CAPS, "keep only these capabilities")                                                                 \
	X(DO_NO_NEW_PRIVS, "no new privs", STEP_SECCOMP, "nothing executed from here on can gain rights")                             \
	X(DO_LSM, "label", STEP_LSM, "security label for the command")                                                                \
	X(DO_LANDLOCK, "landlock", STEP_LANDLOCK, "a second fence around the file system, which mounts cannot move")                  \
	X(DO_UMASK, "umask", STEP_PROCESS, "file creation mask")                                                                         \
	X(DO_FDS, "descriptors", STEP_FDS, "close every descriptor but the ones named")                                               \
	X(DO_SECCOMP, "seccomp", STEP_SECCOMP, "filter system calls")                                                                 \
	X(DO_EXEC, "exec", STEP_EXEC, "run the command")

enum step_kind {
#define X(id, word, err, why) id,
	STEP_KINDS(X)
#undef X
		DO_COUNT
};

struct step_kind_info {
	const char *word;
	enum step_id error;
	const char *why;
};
extern const struct step_kind_info step_kinds[DO_COUNT];

/* Flags of steps that name a path. */
enum {
	PATH_RECURSIVE = 1,   /* DO_OPEN_TREE: with submounts */
	PATH_NOFOLLOW = 2,    /* a symlink is meant itself: DO_OPEN_TREE as source, DO_BIND and DO_MOUNT as target */
	PATH_OPTIONAL = 4,    /* absent: the slot stays empty and steps that use it do nothing */
	PATH_IS_DIR = 8,      /* DO_BIND: make the target a directory; without: a file */
	PATH_REAL_DIR = 16,   /* the target must be a real directory of the root itself (/proc, /sys, /dev) */
	PATH_COPYUP = 32,     /* DO_MOUNT, DO_BIND: fill what is mounted from what was there */
	PATH_HELD = 512,      /* DO_OPEN_TREE: the source is the descriptor in upper_slot */
	PATH_TRUSTED = 8192,  /* the target lies in a file system that an earlier step made, where only we have made names */
	PATH_FRESH = 16384,   /* this step makes such a file system */
	MOUNT_AT_ONCE = 1024, /* DO_MOUNT: mount(2) can say all of it: data is what params are */
	PATH_NEW = 2048,      /* the target is a name in a root that was empty: once it could be made, it is a directory of ours */
	SHOW_LAST = 1024,     /* DO_SHOW: the last one of its view */
	PATH_ROOT = 64,       /* DO_OPEN_TREE: the source is the container's root: must be a directory */
	OVERLAY_USERXATTR = 128, /* DO_ROOT_OVERLAY: in a user namespace, overlay marks are user.* attributes */
	OVERLAY_READONLY = 256, /* DO_OVERLAY: no layer for changes */
	DEVICE_BIND = 512,    /* DO_DEVICE: bind the node that object names instead of making one */
	SESSION_TERMINAL = 1024, /* DO_SESSION: the container's terminal becomes the controlling one and stdio */
	CWD_TRY = 4096,       /* DO_CWD: the first of a list that is there; PWD says which */
	CWD_AGAIN = 2048,     /* DO_CWD: only if the first try, with root's rights, was denied */
	READONLY_BARE = 32,   /* DO_READONLY: the base is a fresh, writable file system and nothing is mounted in it */
	CAPS_BOUNDING_ONLY = 4096, /* DO_CAPS: before the ids change */
	CAPS_WAITING = 8192,  /* DO_CAPS: until a filter is loaded */
	FDS_MARK = 4096,      /* DO_FDS: none is kept yet; next comes a filter, which may not know close_range(2) */
	FDS_MARKED = 8192,    /* DO_FDS: that was done */
	RLIMIT_RAISE = 32768, /* DO_RLIMIT: only lift the hard limit to this value where it is lower */
	KEYRING_SHARED = 512, /* DO_KEYRING: whoever made it has let others join it */
	GATE_HIDDEN = 512,    /* DO_GATE: nobody without rights over the maker may look into what waits */
	HOOK_IN_ROOT = 512,   /* DO_HOOK_INSIDE: its working directory is the root that is not yet "/" */
	ROOT_IN_PLACE = 512,  /* DO_ROOT_ATTACH: at its own path, where hooks look for it */
	CGROUP_GIVEN = 512,   /* DO_CGROUP_DIR: somebody else may have made it, and put processes into it */
	CGROUP_DELEGATE = 1024, /* DO_CGROUP_DIR: a part of the container's group that is its own affair */
	RDT_OWN = 512,        /* DO_RDT: the class is made for this container: what it has is written */
	RDT_MAKE = 1024,      /* DO_RDT: the class is made when it is missing */
	RDT_MONITOR = 2048,   /* DO_RDT: a monitoring group */
	RDT_JOIN = 4096,      /* DO_RDT: joined as it is */
	SECCOMP_OBSERVED = 512,  /* DO_SECCOMP: the listener itself goes to the parent */
	PIVOT_NONE = 256,     /* DO_PIVOT: move and chroot(2), for an initramfs */
};

/* Truths are bytes: a plan may come from outside, where a bool could hold neither. */
struct step {
	uint16_t kind;  /* enum step_kind */
	uint16_t stage; /* enum stage */
	int16_t slot;   /* the descriptor it makes or uses */
	uint16_t flags;
	struct ref object; /* the object of an error message: a path, a file, a name */
	union {
		struct {                  /* DO_OPEN_TREE, DO_DISK, DO_BIND, DO_MOUNT, DO_ROOT_* */
			struct ref source;    /* path on the host; DO_MOUNT: source string; DO_ROOT_OVERLAY, DO_OVERLAY: SELinux context */
			struct ref target;    /* path inside the root */
			struct ref fstype;
			struct refs params;   /* key, value pairs for fsconfig(2); a flag has "" as value */
			struct ref data;      /* the same for mount(2) */
			uint64_t attr_set, attr_clear;         /* MOUNT_ATTR_*, this mount */
			uint64_t rec_attr_set, rec_attr_clear; /* the same, AT_RECURSIVE */
			uint32_t propagation; /* MS_* | MS_REC, 0: leave */
			uint32_t sb_flags;    /* DO_DISK: MS_RDONLY */
			struct refs lowers;   /* DO_ROOT_OVERLAY: array of int16_t slots, topmost first */
			int16_t upper_slot;   /* SLOT_NONE: a fresh tmpfs of the size in params */
			struct refs nodes;    /* DO_DEV_TREE: array of struct plan_node */
			struct refs links;    /* DO_DEV_TREE: strings: name, text, name, text; DO_OVERLAY: none, or upper and work */
			struct refs dirs;     /* DO_DEV_TREE: strings */
		} mount;
		struct {
			struct ref dir, mount, prepare; /* DO_CGROUP_DIR: struct cgroup_dir; DO_CGROUP_OPEN: dir */
			struct ref file, value;         /* DO_CGROUP_WRITE */
			uint32_t attach_type, prog_type; /* DO_CGROUP_BPF */
			int16_t door_slot;              /* DO_CGROUP_DOOR makes it, DO_CGROUP_JOIN uses it as slot */
			struct refs insns;    /* array of struct bpf_insn */
		} cgroup;
		struct {
			struct ref uid_map, gid_map;
			uint8_t deny_setgroups, helper; /* helper: newuidmap(1) */
		} idmap;
		struct {                /* DO_JOIN_NS: one setns(2) on a pidfd, or on an nsfs descriptor */
			uint64_t flags;     /* CLONE_NEW* */
		} ns;
		struct {
			int64_t secs[2];    /* monotonic, boottime */
			uint32_t nsecs[2];
			uint8_t set[2];
		} time;
		struct {
			int32_t resource;
			uint8_t clamp;
			uint64_t soft, hard;
		} rlimit;
		struct {
			uint32_t type, mode, uid, gid; /* type: S_IFCHR ...; 0: whatever the host's node is */
			uint32_t major, minor;
			struct ref target;
		} device;
		struct {
			struct ref base;    /* "/proc", "/sys" or "/" */
			struct refs paths;  /* relative to base */
		} mask;
		struct {                /* DO_SYSCTL, DO_RDT (class, schemata), DO_SYMLINK (name, text), DO_HOSTNAME, DO_CWD, DO_KEYRING, ... */
			struct ref key, value;
		} pair;
		struct {
			struct ref target, staging;
			struct refs data;      /* bytes */
		} file;
		struct {                /* DO_MAKE */
			uint32_t kind, mode;   /* enum make_kind */
			struct ref target, text;
			struct refs data;      /* bytes */
			uint8_t readonly;
		} make;
		struct {                /* DO_CWD with CWD_TRY */
			struct refs places;
		} cwd;
		struct {
			uint32_t mode;
			struct refs nodes;  /* array of unsigned long */
		} policy;
		struct {
			int64_t number;
			uint8_t clamp;
		} value;
		struct {                /* DO_OPEN_PID */
			int32_t pid;
			uint64_t start;     /* its start time, field 22 of /proc/PID/stat */
		} process;
		struct {
			struct ref name;       /* look up, or none */
			uint32_t uid, gid;
			struct refs groups;    /* array of uint32_t */
			struct refs group_names;
			uint8_t deny_groups;      /* setgroups(2) is forbidden in this user namespace: skip it */
			uint8_t keep_groups;
			uint8_t set_home;         /* no HOME in env: take it from passwd */
		} user;
		struct {
			uint64_t sets[5];      /* enum cap_set order */
		} caps;
		struct {
			uint32_t policy, priority, has_nice, has_ioprio;
			int32_t nice, ioprio;
			uint64_t flags, runtime, deadline, period;
			uint8_t has_policy;
		} sched;
		struct {
			struct ref apparmor, selinux;
		} lsm;
		struct {
			struct refs rules;     /* strings: "r/path" or "w/path" */
			uint64_t handled_fs, scoped;
			uint8_t optional;
		} landlock;
		struct {
			struct refs filter;    /* array of struct sock_filter */
			uint32_t flags;
			struct ref listener, metadata;
		} seccomp;
		struct {
			uint32_t preserve;     /* 3 .. 3+n-1 stay open */
			struct refs keep;      /* array of uint32_t: others that stay open, at most KEEP_MAX */
		} fds;
		struct {                    /* DO_EXEC; DO_LOOKUP: candidates alone */
			struct refs argv, env;
			struct refs candidates; /* paths to try in turn */
			struct refs argv_room, env_room; /* arrays of pointers for the walker to fill: argv.n + 1, env.n + 3 */
		} exec;
		struct {
			struct ref path;
			struct refs argv, env;
			struct ref state;      /* JSON for stdin with %PID% resolved by the walker */
			struct refs argv_room, env_room; /* DO_HOOK_INSIDE: room for the vectors, as for exec */
			int64_t timeout_ms;
			int16_t out_slot, err_slot; /* of DO_HOOK_LOG, or SLOT_NONE */
			uint32_t kind;
		} hook;
		struct {
			uint16_t rows, columns;
			uint32_t uid;          /* owner of the terminal */
			uint32_t bind_console;
		} console;
	};
};

struct plan_node {
	char name[32];
	uint32_t mode; /* S_IFCHR | permissions */
	uint32_t major, minor, uid, gid;
};

enum gate_kind { GATE_NONE, GATE_SOCKET };

/* Changes whenever struct step does: a plan written by another nook is refused. */
#define PLAN_FORMAT (0x6e6f6f6cU ^ (uint32_t)(sizeof(struct step) << 8) ^ DO_COUNT)

struct plan {
	uint32_t format;      /* PLAN_FORMAT */
	uint32_t size;        /* of the whole, bytes */
	uint32_t n_steps;
	uint32_t data_at;     /* offset of the data from the start of this struct */
	uint32_t data_len;
	uint64_t clone_flags; /* CLONE_NEW* */
	uint32_t gate;        /* enum gate_kind */
	uint32_t terminal;
	int32_t cgroup_slot;  /* CLONE_INTO_CGROUP, or SLOT_NONE */
	int32_t gate_slot;    /* GATE_SOCKET: the listening socket that DO_GATE made */
	uint32_t die_with_parent;
	uint32_t own_ids;     /* nobody inside has an id that its maker's files belong to */
	uint32_t init;        /* nook's reaper stays pid 1 */
	uint32_t fail_at;     /* 1-based index of a step that fails on purpose (fault tests); 0: none */
	struct step steps[];
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static inline const void *plan_at(const struct plan *p, uint32_t at)
{
	return (const char *)p + p->data_at + at;
}
static inline const char *plan_str(const struct plan *p, struct ref r)
{
	return (const char *)plan_at(p, r.at);
}
/* The next string of a list. */
static inline const char *plan_next(const char *s)
{
	while (*s++)
		;
	return s;
}

/* Checks a plan that came from outside: every offset, count and kind.  0 or -EINVAL. */
int plan_validate(const void *data, size_t size);
/* Releases what plan_builder_seal() returned. */
void plan_free(struct plan *p);
CLEANUP_DEFINE(struct plan *, plan_free)

/* ---- building ---------------------------------------------------------------------------------------------------- */

struct plan_builder;

struct plan_builder *plan_builder_new(void);
void plan_builder_free(struct plan_builder *b);
CLEANUP_DEFINE(struct plan_builder *, plan_builder_free)

struct ref plan_add_str(struct plan_builder *b, const char *s); /* NULL: none */
struct ref plan_add_fmt(struct plan_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct refs plan_add_strs(struct plan_builder *b, const char *const *list); /* NULL-terminated */
struct refs plan_add_array(struct plan_builder *b, const void *items, size_t n, size_t size);
/* A zeroed step of this kind in this stage, at the end of the stage.  Valid until the next plan_add_step(). */
struct step *plan_add_step(struct plan_builder *b, enum stage stage, enum step_kind kind, struct ref object);
int plan_add_slot(struct plan_builder *b);
/* How many more plan_add_slot() may give out. */
int plan_slots_left(const struct plan_builder *b);
/* Header fields (clone_flags, gate, ...) are set here before sealing. */
struct plan *plan_builder_header(struct plan_builder *b);
/* The finished plan: steps ordered by stage, one block of memory that the caller frees with plan_free(). */
struct plan *plan_builder_seal(struct plan_builder *b);

/* ---- printing ---------------------------------------------------------------------------------------------------- */

struct buf;
enum plan_format { PLAN_TEXT, PLAN_WHY, PLAN_JSON };
/* One line a step; PLAN_WHY adds what each is for. */
void plan_print(const struct plan *p, enum plan_format format, struct buf *out);
/* For --explain: FORMAT is "text", "why" (or "") or "json"; written to FD. */
int plan_explain(const struct plan *p, const char *format, int fd, struct nook_error *e);
