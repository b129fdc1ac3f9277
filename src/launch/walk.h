/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking a plan.  What is declared here runs partly between clone(2) and execve(2): it neither allocates nor formats,
 * and every failure is recorded once with the step's own kind and object.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "plan/plan.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * The child's descriptors are all close-on-exec and it is about to exec, so it closes none of them: each would be one
 * system call more for nothing.
 */
struct walk {
	const struct plan *plan;
	int slots[PLAN_SLOTS]; /* -EBADF while empty */
	uint32_t at;           /* index of the step being walked */

	/* parent */
	pid_t child;           /* the container's first process, once cloned */
	int child_proc;        /* /proc/PID of the child, once needed: walk_child_proc() */
	int child_userns;      /* its user namespace, opened when first needed */
	int held[HELD_MAX];    /* locks that live as long as the box: see struct launched */
	size_t n_held;
	int limit;             /* a group's file between two of its lines, or -EBADF */
	int joined;            /* a pidfd of the process whose namespaces are joined, or -EBADF */
	mode_t mask;           /* the caller's file creation mask, once it is known, or -1 */
	bool in_pidns;         /* children are born in the pid namespace that is joined */
	int *status;           /* where pid 1 writes the command's wait status, shared with the parent */

	/* child */
	uint64_t ignored_signals; /* of the caller: bit 0 is signal 1 */
	bool waits;            /* the parent has something to do once it exists: it says go */
	int wire;
	int parents_wire;      /* the other end, which the child has until it closes it: till then, it would hear of no end of file */
	bool is_empty;         /* of what the parent has had open, only the wire and what the command gets is left */
	int root;              /* the container's root */
	int proc, sys, pts;    /* what was mounted at /proc and /sys, and the container's devpts, or -EBADF */
	struct {               /* fresh file systems, by where they are: only we have made names in them */
		const char *path;
		int fd;
	} places[16];
	size_t n_places;
	bool in_root;          /* setns(2) has made "/" of the mount namespace the working directory */
	int here;              /* the working directory, where it is one of these descriptors */
	int host_null;         /* the host's /dev/null, checked */
	int mask_dir;          /* an empty read-only directory to cover others with */
	int terminal;          /* slave side of the container's terminal */
	bool is_alone;         /* a program of nook's, whose ids are those that it was started with */
	bool is_root;          /* DO_BECOME_ROOT has made it uid 0, gid 0, no groups */
	bool tied;             /* DO_PARENT_DEATH has happened since then */
	bool cwd_later;        /* the working directory wants the user's rights */
	uint32_t uid, gid;     /* what DO_USER found */
	uint32_t groups[64];
	size_t n_groups;
	char home[PATH_MAX + 8]; /* "HOME=..." */
	char pwd[PATH_MAX + 8];  /* "PWD=..." */
	int scratch;             /* a tmpfs that nobody sees in the end, or -EBADF */
};

/* The file creation mask while a container is made; of its command, too, unless that has another one. */
enum { CHILD_UMASK = 022 };

void walk_init(struct walk *w, const struct plan *p);
/* Closes what the parent has opened on the way, and its end of the wire, if any. */
void walk_done(struct walk *w, int *wire);
/* Walks all steps of a stage in order; the record's rule is the 1-based index of the step that failed. */
int walk_stage(struct walk *w, enum stage stage, struct nook_error *e);
/* One step, whatever its stage. */
int walk_one(struct walk *w, const struct step *s, struct nook_error *e);

/* One step.  Each returns 0 or -errno with the error recorded. */
typedef int (*apply_fn)(struct walk *w, const struct step *s, struct nook_error *e); /* the one typedef: a table's type */

int apply_gate(struct walk *w, const struct step *s, struct nook_error *e);
int apply_open_tree(struct walk *w, const struct step *s, struct nook_error *e);
int apply_disk(struct walk *w, const struct step *s, struct nook_error *e);
int apply_idmap_mount(struct walk *w, const struct step *s, struct nook_error *e);
int apply_root_attach(struct walk *w, const struct step *s, struct nook_error *e);
int apply_root_overlay(struct walk *w, const struct step *s, struct nook_error *e);
int apply_overlay(struct walk *w, const struct step *s, struct nook_error *e);
int apply_keep(struct walk *w, const struct step *s, struct nook_error *e);
int apply_root_tmpfs(struct walk *w, const struct step *s, struct nook_error *e);
int apply_root_readonly(struct walk *w, const struct step *s, struct nook_error *e);
int apply_root_propagation(struct walk *w, const struct step *s, struct nook_error *e);
int apply_propagation(struct walk *w, const struct step *s, struct nook_error *e);
int apply_mount(struct walk *w, const struct step *s, struct nook_error *e);
int apply_bind(struct walk *w, const struct step *s, struct nook_error *e);
int apply_show(struct walk *w, const struct step *s, struct nook_error *e);
int apply_copy_link(struct walk *w, const struct step *s, struct nook_error *e);
int apply_pivot(struct walk *w, const struct step *s, struct nook_error *e);
int apply_mask(struct walk *w, const struct step *s, struct nook_error *e);
int apply_readonly(struct walk *w, const struct step *s, struct nook_error *e);
int apply_dev_tree(struct walk *w, const struct step *s, struct nook_error *e);
int apply_make(struct walk *w, const struct step *s, struct nook_error *e);
int apply_hold(struct walk *w, const struct step *s, struct nook_error *e);
int apply_wait(struct walk *w, const struct step *s, struct nook_error *e);
int apply_lock(struct walk *w, const struct step *s, struct nook_error *e);
int apply_device(struct walk *w, const struct step *s, struct nook_error *e);
int apply_put(struct walk *w, const struct step *s, struct nook_error *e);
int apply_symlink(struct walk *w, const struct step *s, struct nook_error *e);
int apply_console(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_dir(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_write(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_bpf(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_open(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_door(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_join(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cgroup_ns(struct walk *w, const struct step *s, struct nook_error *e);
int apply_open_pid(struct walk *w, const struct step *s, struct nook_error *e);
int apply_open_ns(struct walk *w, const struct step *s, struct nook_error *e);
int apply_join_ns(struct walk *w, const struct step *s, struct nook_error *e);
int apply_idmap(struct walk *w, const struct step *s, struct nook_error *e);
int apply_unshare(struct walk *w, const struct step *s, struct nook_error *e);
int apply_own_map(struct walk *w, const struct step *s, struct nook_error *e);
int apply_hostname(struct walk *w, const struct step *s, struct nook_error *e);
int apply_domainname(struct walk *w, const struct step *s, struct nook_error *e);
int apply_net_device(struct walk *w, const struct step *s, struct nook_error *e);
int apply_loopback(struct walk *w, const struct step *s, struct nook_error *e);
int apply_listen(struct walk *w, const struct step *s, struct nook_error *e);
int apply_time(struct walk *w, const struct step *s, struct nook_error *e);
int apply_session(struct walk *w, const struct step *s, struct nook_error *e);
int apply_keyring(struct walk *w, const struct step *s, struct nook_error *e);
int apply_parent_death(struct walk *w, const struct step *s, struct nook_error *e);
int apply_oom_score(struct walk *w, const struct step *s, struct nook_error *e);
int apply_rlimit(struct walk *w, const struct step *s, struct nook_error *e);
int apply_sched(struct walk *w, const struct step *s, struct nook_error *e);
int apply_affinity(struct walk *w, const struct step *s, struct nook_error *e);
int apply_personality(struct walk *w, const struct step *s, struct nook_error *e);
int apply_mempolicy(struct walk *w, const struct step *s, struct nook_error *e);
int apply_core_sched(struct walk *w, const struct step *s, struct nook_error *e);
int apply_rdt(struct walk *w, const struct step *s, struct nook_error *e);
int apply_sysctl(struct walk *w, const struct step *s, struct nook_error *e);
int apply_become_root(struct walk *w, const struct step *s, struct nook_error *e);
int apply_user(struct walk *w, const struct step *s, struct nook_error *e);
int apply_set_ids(struct walk *w, const struct step *s, struct nook_error *e);
int apply_caps(struct walk *w, const struct step *s, struct nook_error *e);
int apply_no_new_privs(struct walk *w, const struct step *s, struct nook_error *e);
int apply_lsm(struct walk *w, const struct step *s, struct nook_error *e);
int apply_landlock(struct walk *w, const struct step *s, struct nook_error *e);
int apply_umask(struct walk *w, const struct step *s, struct nook_error *e);
int apply_cwd(struct walk *w, const struct step *s, struct nook_error *e);
int apply_fds(struct walk *w, const struct step *s, struct nook_error *e);
int apply_seccomp(struct walk *w, const struct step *s, struct nook_error *e);
int apply_lookup(struct walk *w, const struct step *s, struct nook_error *e);
int apply_exec(struct walk *w, const struct step *s, struct nook_error *e);
int apply_hook(struct walk *w, const struct step *s, struct nook_error *e);
int apply_hook_log(struct walk *w, const struct step *s, struct nook_error *e);
int apply_hook_inside(struct walk *w, const struct step *s, struct nook_error *e);

/* /proc/PID of the child, for the parent: borrowed, or -errno with the error recorded. */
int walk_child_proc(struct walk *w, struct nook_error *e);
/* Makes the directory FD the working directory, unless it is already: 0 or -errno. */
int walk_chdir(struct walk *w, int fd);

/* The descriptor in a slot, or -EBADF. */
static inline int walk_slot(const struct walk *w, int slot)
{
	return slot >= 0 ? w->slots[slot] : -EBADF;
}
/* Is it what DO_BECOME_ROOT has made it, and will DO_SET_IDS leave it so? */
static inline bool walk_is_root(const struct walk *w)
{
	return w->is_root && !w->uid && !w->gid && !w->n_groups;
}
static inline const char *walk_str(const struct walk *w, struct ref r)
{
	return plan_str(w->plan, r);
}

/* Fills TO, which has room for one more, with the addresses of the strings and a final NULL. */
void walk_vector(const struct plan *p, struct refs r, char **to);

/* ---- wire: one record a datagram, between the child and the parent ---------------------------------------------- */

enum wire_kind {
	WIRE_ERROR,  /* child to parent: the failed step; the child ends */
	WIRE_CHILD,  /* the process in between: number is the pid of the container's first process */
	WIRE_CONSOLE,/* child to parent, with the master's descriptor */
	WIRE_NOTIFY, /* child to parent: number is a seccomp listener in the child, which waits for WIRE_GO */
	WIRE_OBSERVE, /* child to parent, with a seccomp listener; the filter lets what follows pass */
	WIRE_LISTENER, /* child to parent, with a listening socket of the new network */
	WIRE_HELD,   /* child to parent: a descriptor to hold as long as it runs */
	WIRE_HOOKS,  /* child to parent: walk HOOKS, then say go */
	WIRE_READY,  /* child to parent: only the gate is left */
	WIRE_GO,     /* parent to child */
};

struct wire_record {
	uint32_t kind;
	int32_t number;
	struct nook_error error; /* WIRE_ERROR only; not sent with the others */
};

int wire_send(int fd, enum wire_kind kind, int number);
/* The same by write(2), which no filter hands to the listener that is just being told of. */
int wire_write(int fd, enum wire_kind kind, int number);
int wire_send_error(int fd, const struct nook_error *error, int code);
int wire_send_fd(int fd, enum wire_kind kind, int passed);
/* 1 and a record, 0 at end of file, or -errno.  *ret_fd is a received descriptor or -EBADF. */
int wire_receive(int fd, struct wire_record *ret, int *ret_fd);
struct sockaddr_un;
/* The address of the socket DIR/NAME, whatever the length of its path: 0 or -ENAMETOOLONG. */
int gate_address(int dir, const char *name, struct sockaddr_un *ret);
/* Waits for WIRE_GO: 0, or -EPIPE when the parent is gone. */
int wire_wait_go(int fd);
