/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that have a state: one directory per container under RUN/containers/ID, whose state.json is replaced
 * atomically.  What a start is about to make (cgroups, id range, mounts, links) is written there before it is made, so
 * that any later command can finish or undo what a killed one began.  A pid from disk is trusted only when its start
 * time (field 22 of /proc/PID/stat) still matches; live processes are held by pidfd.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

enum container_status { CONTAINER_CREATING, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_STOPPED };

struct container {
	const char *id;            /* [A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,1023} */
	const char *name;          /* "" or unique among containers */
	const char *source;        /* "host:", "dir:/srv/root": as given */
	const char *bundle;        /* OCI bundle directory, or "" */
	const char *command;       /* for ps: the argument vector, joined */
	int64_t created_ns;        /* CLOCK_REALTIME */
	int64_t started_ns, finished_ns; /* 0: not yet */
	pid_t pid;                 /* init, in the host's pid namespace; 0: none */
	uint64_t pid_start;        /* its start time, field 22 of /proc/PID/stat */
	pid_t supervisor;          /* the `nook run` or shim that waits for it; 0: none */
	uint64_t supervisor_start;
	bool creating;             /* the intent is written, the start is not finished */
	bool auto_remove;          /* --rm */
	int exit_status;           /* 0..255; -1: not ended or unknown */
	const char **cgroups;      /* absolute directories, NULL-terminated; v2 ones are told by their files */
	size_t n_cgroups;
	uint32_t range_base;       /* first host id of its 65536 range; 0: none was taken */
	const char **paths;        /* files and directories outside the state directory to remove with it */
	size_t n_paths;
	struct spec_pair *annotations;
	size_t n_annotations;
	const char *oci_version;
	const char *rootfs;        /* host path of the root, "" when there is none */
};

/* The directory RUN/containers (made when missing, 0700); -errno when RUN cannot be written. */
struct store_run;
int runtime_open(const char *run, struct arena *a, struct store_run **ret, struct nook_error *e);
void runtime_close(struct store_run *r);

/* 0 or -EINVAL: is this an id that may become a directory name? */
int container_id_check(const char *id, struct nook_error *e);
/* 12 random hex digits. */
const char *container_id_new(struct arena *a);

/* Makes the directory (-EEXIST: the id or the name is taken) and writes the intent. Returns a descriptor of it that is
 * locked (flock) by the caller until closed. */
int container_create(struct store_run *r, const struct container *c, struct nook_error *e);
/* Writes state.json anew. DIR is what container_create() or container_lock() returned. */
int container_save(int dir, const struct container *c, struct nook_error *e);
/* Loads by id, unique id prefix or name.  -ENOENT with a sentence when there is none. */
int container_load(struct store_run *r, const char *id_or_name, struct arena *a, struct container *ret, struct nook_error *e);
/* The container's directory, locked exclusively. */
int container_lock(struct store_run *r, const char *id, struct nook_error *e);
/* All of them, sorted by creation time; a damaged state gives an entry with creating set and the id alone. */
int container_list(struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e);
/* Judged now: looks at the process and, when it lives, at the freezer. */
enum container_status container_status(const struct container *c);
extern const char *const container_status_names[]; /* OCI: "creating", "created", "running", "paused", "stopped" */
/* A pidfd of its init, checked against the start time; -ESRCH when it has ended. */
int container_pidfd(const struct container *c, struct nook_error *e);
/* Undoes all that the state names: kills what is left (only if FORCE or not running), removes cgroups, paths, the id
 * range, and last the directory.  Idempotent. */
enum remove_mode { REMOVE_STOPPED, REMOVE_FORCE };
int container_remove(struct store_run *r, const struct container *c, enum remove_mode mode, struct nook_error *e);
