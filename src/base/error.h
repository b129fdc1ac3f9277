/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors: the lowest function that knows step and object records them once; everyone above returns the code unchanged
 * with TRY().  Recording neither allocates nor formats, so the child of clone() may do it too.
 */
#pragma once

#include "nook.h"

#include <errno.h>
#include <stdarg.h>

/* What nook can be doing when something fails: enumerator and the stable word for it. */
#define STEP_LIST(X)                         \
	X(STEP_NONE, "run")                      \
	X(STEP_OPTION, "option")                 \
	X(STEP_COMMAND, "command")               \
	X(STEP_CONFIG, "config")                 \
	X(STEP_SOURCE, "source")                 \
	X(STEP_STATE, "state")                   \
	X(STEP_LOCK, "lock")                     \
	X(STEP_CONTAINER, "container")           \
	X(STEP_CLONE, "clone")                   \
	X(STEP_NAMESPACE, "namespace")           \
	X(STEP_IDMAP, "id map")                  \
	X(STEP_IDRANGE, "id range")              \
	X(STEP_CGROUP, "cgroup")                 \
	X(STEP_LIMIT, "limit")                   \
	X(STEP_DEVICES, "device rules")          \
	X(STEP_FREEZE, "freeze")                 \
	X(STEP_ROOT, "root")                     \
	X(STEP_MOUNT, "mount")                   \
	X(STEP_TARGET, "mount target")           \
	X(STEP_ATTR, "mount attributes")         \
	X(STEP_MASK, "mask")                     \
	X(STEP_DEVICE, "device node")            \
	X(STEP_PIVOT, "pivot root")              \
	X(STEP_PROC, "proc")                     \
	X(STEP_SYSCTL, "sysctl")                 \
	X(STEP_HOSTNAME, "hostname")             \
	X(STEP_NET, "network")                   \
	X(STEP_CONSOLE, "console")               \
	X(STEP_STDIO, "stdio")                   \
	X(STEP_FDS, "descriptors")               \
	X(STEP_KEYRING, "keyring")               \
	X(STEP_RLIMIT, "rlimit")                 \
	X(STEP_SCHED, "scheduler")               \
	X(STEP_USER, "user")                     \
	X(STEP_GROUPS, "groups")                 \
	X(STEP_CAPS, "capabilities")             \
	X(STEP_LSM, "security label")            \
	X(STEP_LANDLOCK, "landlock")             \
	X(STEP_SECCOMP, "seccomp")               \
	X(STEP_CWD, "working directory")         \
	X(STEP_HOOK, "hook")                     \
	X(STEP_EXEC, "exec")                     \
	X(STEP_WAIT, "wait")                     \
	X(STEP_SIGNAL, "signal")                 \
	X(STEP_WIRE, "launch protocol")          \
	X(STEP_SPAWN, "helper program")          \
	X(STEP_JSON, "json")                     \
	X(STEP_FILE, "file")                     \
	X(STEP_UNPACK, "unpack")                 \
	X(STEP_IMAGE, "image")                   \
	X(STEP_DISK, "disk")                     \
	X(STEP_REGISTRY, "registry")             \
	X(STEP_CHECKPOINT, "checkpoint")         \
	X(STEP_PROCESS, "process attribute")     \
	X(STEP_MEMORY, "memory")                 \
	X(STEP_BUS, "bus")

enum step_id {
#define X(id, word) id,
	STEP_LIST(X)
#undef X
		STEP_COUNT
};

#define TRY(expr)            \
	({                       \
		int try_r_ = (expr); \
		if (try_r_ < 0)      \
			return try_r_;   \
		try_r_;              \
	})

/* Records errno and returns -errno.  Allocates nothing. */
int err_sys(struct nook_error *e, enum step_id step, const char *object);
/* The same for an errno value held in a variable (positive or negative). */
int err_num(struct nook_error *e, enum step_id step, const char *object, int errnum);
/* errno R with one clause of explanation that stands instead of the errno's words. */
int err_why(struct nook_error *e, enum step_id step, const char *object, int errnum, const char *detail);
/* As err_why() with a formatted clause.  Not for the child of clone(). */
int err_fmt(struct nook_error *e, enum step_id step, const char *object, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#ifdef __clang_analyzer__
/* clang's analyzer reads one file at a time: what is not 0 elsewhere it must be told. */
#define err_sys(...) ((err_sys)(__VA_ARGS__), -1)
#define err_num(...) ((err_num)(__VA_ARGS__), -1)
#define err_why(...) ((err_why)(__VA_ARGS__), -1)
#define err_fmt(...) ((err_fmt)(__VA_ARGS__), -1)
#endif
/* Adds to an existing record: the clause between object and errno's words. */
void err_detail(struct nook_error *e, const char *detail);
