/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that have a state: one directory per container under RUN/containers/ID, whose state.json is replaced
 * atomically.  What a start is about to make (cgroups, id range, paths) is written there before it is made, so that any
 * later command can finish or undo what a killed one began.  A pid from disk is trusted only when its start time
 * (field 22 of /proc/PID/stat) still matches; live processes are held by pidfd.
 *
 *     r = runtime_open(run)
 *     dir = container_create(r, c)         the intent: nothing of it exists yet; locked until dir is closed
 *     ... launch ...
 *     c->pid, c->pid_start, c->creating = false; container_save(dir, c); close(dir)
 *     ... wait ...
 *     container_remove(r, c, REMOVE_STOPPED), or container_finish(r, c) to keep what `nook ps -a` shows
 *
 * The supervisor named in a state is the only one who writes it while it lives.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

enum container_status { CONTAINER_CREATING, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_STOPPED };

/* Strings may be NULL where "" is meant; after a load they never are. */
struct container {
	const char *id;            /* [A-Za-z0-9_+][A-Za-z0-9_+.-]*, at most CONTAINER_ID_MAX bytes */
	const char *name;          /* "" or unique among containers; spelled as an id is */
	const char *source;        /* "host:", "dir:/srv/root": as given */
	const char *bundle;        /* OCI bundle directory, or "" */
	const char *command;       /* for ps: the argument vector, joined */
	int64_t created_ns;        /* CLOCK_REALTIME */
	int64_t started_ns, finished_ns; /* 0: not yet.  A live init that has not started waits at the gate: "created" */
	pid_t pid;                 /* init, in the host's pid namespace; 0: none */
	uint64_t pid_start;        /* its start time, field 22 of /proc/PID/stat */
	uint64_t pid_inode;        /* of its pidfd, never used twice between two boots; 0: unknown, or an older kernel */
	pid_t supervisor;          /* the `nook run` or shim that waits for it; 0: none */
	uint64_t supervisor_start;
	bool creating;             /* the intent is written, the start is not finished */
	bool auto_remove;          /* --rm */
	bool tied;                 /* its init dies with its supervisor (spec: process.die_with_parent) */
	int exit_status;           /* 0..255; -1: not ended or unknown */
	const char **cgroups;      /* absolute directories; v2 ones are told by their file system */
	size_t n_cgroups;
	uint32_t range_base;       /* first host id of its 65536 range; 0: none was taken */
	const char **paths;        /* absolute files and directories outside the state directory to remove when it has ended */
	size_t n_paths;
	const char *unit;          /* the systemd unit that its groups belong to, or "" */
	bool user_unit;            /* of the user's systemd */
	const char **kept;         /* the same, but they go only when it is removed: its layer, its anonymous volumes */
	size_t n_kept;
	const char **volumes;      /* what it shows of volumes and of the host, as -v has it: "web:/srv:ro" */
	size_t n_volumes;
	const char **rdt;          /* directories of resctrl that are its own */
	size_t n_rdt;
	struct spec_pair *annotations;
	size_t n_annotations;
	const char *oci_version;
	const char *rootfs;        /* host path of the root, "" when there is none */
	const char *config;        /* what an image of it would say (image/config.h), as JSON; "" when nothing is known */
	bool this_boot;            /* not saved: its state cannot be of an earlier boot, for it lies in a tmpfs */
	const char *damage;        /* not saved: why its state could not be read; "" when it could */
};

/* What ends it in peace, as an image says it: a signal by name or number. */
#define ANNOTATION_STOP_SIGNAL "org.opencontainers.image.stopSignal"
/* The digest of the image that it was made of. */
#define ANNOTATION_IMAGE "nook.image"
/* The value of an annotation, or NULL. */
const char *container_annotation(const struct container *c, const char *key);

enum { CONTAINER_ID_MAX = 240 }; /* leaves room in NAME_MAX for what a cgroup's name adds */

struct store_run;

/* The run directory RUN (made when missing, 0700). */
int runtime_open(const char *run, struct arena *a, struct store_run **ret, struct nook_error *e);
void runtime_close(struct store_run *r);
CLEANUP_DEFINE(struct store_run *, runtime_close)
/* An O_PATH descriptor of RUN; borrowed. */
int runtime_fd(const struct store_run *r);

/* 0 or -EINVAL: is this an id (or name) that may become a file name? */
int container_id_check(const char *id, struct nook_error *e);
/* 12 random hex digits. */
int container_id_new(struct arena *a, const char **ret, struct nook_error *e);
/* The cgroup path of a container of this run directory: "nook-ID", and "nook-ID@TAG" when RUN is not /run/nook, so that
 * `nook system repair` can tell its own left-overs from the groups of other run directories. */
const char *container_cgroup_path(const struct store_run *r, const char *id, struct arena *a);

/* Makes the directory (-EEXIST: the id or the name is taken) and writes the intent.  Returns a descriptor of the
 * directory that holds its lock (flock) until closed. */
int container_create(struct store_run *r, const struct container *c, struct nook_error *e);
/* Writes state.json anew.  DIR is what container_create() or container_lock() returned. */
int container_save(int dir, const struct container *c, struct nook_error *e);
/* Loads by id, name or unique id prefix, in this order.  -ENOENT with a sentence when there is none. */
int container_load(struct store_run *r, const char *id_or_name, struct arena *a, struct container *ret, struct nook_error *e);
/* The container's directory, locked exclusively; waits for who holds it.  -ENOENT: it is gone. */
int container_lock(struct store_run *r, const char *id, struct nook_error *e);
/* Waits until who starts C has done so, or given up (-ENOENT: it is gone).  Its process is known before that, and stands in the
 * host's files yet: whoever joins it then, sees them.  -ESRCH: it is being created.  -EDEADLK: who starts it waits for the caller. */
int container_settle(struct store_run *r, const struct container *c, struct nook_error *e);
/* container_lock(), but -EWOULDBLOCK at once (nothing recorded) when somebody holds it: its creator or remover. */
int container_trylock(struct store_run *r, const char *id, struct nook_error *e);
/* All of them, sorted by creation time; one whose state cannot be read has only id, creating and damage. */
int container_list(struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e);
/* The same to look at alone: without the groups that came later, and quicker to judge. */
int container_survey(struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e);

/* Judged now: looks at the process and, when it lives, at the freezer.  A start whose process died before it was finished
 * counts as stopped. */
enum container_status container_status(const struct container *c);
/* The same for one of many: LOOK is what has been opened for the one before (cgroup/cgroup.h). */
struct cgroup_look;
enum container_status container_status_at(const struct container *c, struct cgroup_look *look);
/* The same on trust: whether the process that the state notes still lives is left to who goes on to hold it. */
enum container_status container_status_noted(const struct container *c);
extern const char *const container_status_names[]; /* OCI: "creating", "created", "running", "paused", "stopped" */
/* Notes whether the state of C can be of an earlier boot; when not, its init is found quicker. */
void container_note_boot(const struct store_run *r, struct container *c);
/* A pidfd of its init, checked to be of the process that the state means; -ESRCH when it has ended. */
int container_pidfd(const struct container *c, struct nook_error *e);
/* Does its supervisor still live? */
bool container_is_supervised(const struct container *c);
/* Is it tied to a supervisor that has died?  Then its init is about to end, if it has not. */
bool container_is_orphan(const struct container *c);

struct cgroup;
/* Notes groups that it is about to get in addition: ALL are its groups and those.  Kept beside the state, which its
 * supervisor alone writes. */
int container_add_cgroups(struct store_run *r, struct container *c, const struct cgroup *all, struct arena *a, struct nook_error *e);
/* Its groups as cgroup/ wants them; their list is a copy. */
void container_cgroup(const struct container *c, struct arena *a, struct cgroup *ret);

/* Undoes all that the state names: kills what is left (REMOVE_FORCE, or when its init has ended), removes cgroups, paths,
 * the id range, the name, and last the directory.  Idempotent; whatever was undone before is fine.  The caller must not
 * hold the lock.  Unless the caller is the supervisor, the state is read again under the lock.
 * -EBUSY: it runs, and MODE is REMOVE_STOPPED. */
enum remove_mode {
	REMOVE_STOPPED,
	REMOVE_FORCE,
	REMOVE_OWN, /* by force, and the caller is its supervisor: what it holds is the newest */
};
int container_remove(struct store_run *r, const struct container *c, enum remove_mode mode, struct nook_error *e);
/* For a container that has ended and is kept: undoes the same but keeps name and state, which then says how it ended
 * (c->exit_status, c->finished_ns: now when 0).  A container that is gone is fine. */
int container_finish(struct store_run *r, const struct container *c, struct nook_error *e);
