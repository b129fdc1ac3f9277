/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of what a container keeps (run --storage dir or disk): under a name beside it, or as another container's.
 *
 *     ROOT/snapshots/ID/NAME/snapshot.json   when it was made
 *     ROOT/snapshots/ID/NAME/layer/          what was in ROOT/layers/ID
 *
 * Blocks are shared with the original where the file system can.  A container that runs is frozen meanwhile and what it
 * wrote is on the disk before it is copied; its snapshots go with it.
 */
#pragma once

#include "runtime/container.h"

struct snapshot {
	const char *name;
	int64_t created_ns;
	uint64_t bytes; /* not saved: what it takes, shared blocks included */
};

/* ROOT/snapshots/ID: a path that the container keeps. */
const char *snapshot_home(const struct store_run *r, const char *root, const char *id, struct arena *a);

/* NAME NULL: snap0, snap1, ...; what it is called goes to RET. */
int snapshot_create(struct store_run *r, const char *root, const struct container *c, const char *name, struct arena *a,
                    const char **ret, struct nook_error *e);
/* The oldest first. */
int snapshot_list(struct store_run *r, const char *root, const struct container *c, struct arena *a, struct snapshot **ret,
                  size_t *ret_n, struct nook_error *e);
/* The container has ended; what it has changed since is gone.  Whatever cuts it off, the layer is the one or the other. */
int snapshot_restore(struct store_run *r, const char *root, const struct container *c, const char *name, struct nook_error *e);
int snapshot_remove(struct store_run *r, const char *root, const struct container *c, const char *name, struct nook_error *e);

/* A container NAME ("": none) that is what C is now, has never run and keeps a layer of its own; its id. */
int snapshot_clone(struct store_run *r, const char *root, const struct container *c, const char *name, struct arena *a,
                   const char **ret_id, struct nook_error *e);
