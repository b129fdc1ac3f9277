/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What killed commands left in a run directory: found, and cleared.  Safe while other containers start, run and go: what
 * somebody holds the lock of is passed over, and each finding is judged again under the lock before anything is done.
 */
#pragma once

#include "runtime/container.h"

enum stale_kind {
	STALE_START,     /* a start that was cut off: undone */
	STALE_CONTAINER, /* an ended container whose supervisor did not live to clear up: removed (--rm) or finished */
	STALE_NAME,      /* a name that leads to no container */
	STALE_RANGE,     /* an id range of no container */
	STALE_CGROUP,    /* a group of this run directory that belongs to no container */
	STALE_DATA,      /* an unpacked root or a layer of no container */
	STALE_FILE,      /* a temporary file in a container's directory */
	STALE_KINDS,
};
extern const char *const stale_names[STALE_KINDS];

struct stale {
	enum stale_kind kind;
	const char *object;
	const char *about;        /* one clause: what it is */
	int result;               /* of clearing it: 0, or -errno and then: */
	struct nook_error error;
};

/* Only looks.  ROOT holds data that outlives RUN (runtime/data.h). */
int runtime_check(struct store_run *r, const char *root, struct arena *a, struct stale **ret, size_t *ret_n, struct nook_error *e);
/* Clears too.  What could not be cleared does not keep it from the rest. */
int runtime_repair(struct store_run *r, const char *root, struct arena *a, struct stale **ret, size_t *ret_n, struct nook_error *e);
