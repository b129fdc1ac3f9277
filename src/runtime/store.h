/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The run directory as the files of runtime/ see it:
 *
 *     RUN/containers/ID/state.json   the state; the directory itself carries the lock (flock)
 *     RUN/containers/ID/groups       cgroups that came with new limits, one a line
 *     RUN/names/NAME -> ID           symbolic links: making one is atomic, and so is finding it taken
 *     RUN/ids/BASE                   id ranges (runtime/idrange.h)
 *
 * An entry is made as: directory, lock, state.json, name.  It is removed in reverse: name, state.json, directory.  So a
 * directory without a state has nothing outside it, and a name without a directory is stale.
 */
#pragma once

#include "base/fd.h"
#include "runtime/container.h"

struct store_run {
	const char *path; /* RUN as given */
	int fd;           /* O_PATH */
};

#define STORE_CONTAINERS "containers"
#define STORE_NAMES "names"
#define STORE_STATE "state.json"
#define STORE_GROUPS "groups"

/* Room for "containers/ID/state.json". */
enum { STORE_PATH_MAX = sizeof(STORE_CONTAINERS "/" "/" STORE_STATE) + CONTAINER_ID_MAX + 1 };

/* "ID", and "ID@TAG" when RUN is not /run/nook: names that tell whose they are in places that run directories share. */
const char *store_tagged_id(const struct store_run *r, const char *id, struct arena *a);
bool store_entry_exists(const struct store_run *r, const char *id);
/* A new directory of container ID, locked: -EEXIST when there is one. */
int store_entry_make(struct store_run *r, const char *id, struct nook_error *e);
/* Removes the directory of container ID with all that is in it; its state goes last but one. */
int store_entry_remove(struct store_run *r, const char *id, int dir, struct nook_error *e);

/* Takes NAME for container ID; -EEXIST when another container has it.  A stale one is taken over. */
int store_name_take(struct store_run *r, const char *name, const char *id, struct nook_error *e);
/* Gives NAME back if it is ID's. */
int store_name_drop(struct store_run *r, const char *name, const char *id, struct nook_error *e);
/* Whose name is this?  0 and ID (CONTAINER_ID_MAX + 1 bytes), or -ENOENT; nothing recorded. */
int store_name_find(struct store_run *r, const char *name, char *id);
/* Removes NAME if the container it leads to is gone: 1 when it did.  With STALE_LOOK it only tells. */
enum stale_mode { STALE_LOOK, STALE_REMOVE };
int store_name_sweep(struct store_run *r, const char *name, enum stale_mode mode, struct nook_error *e);

/* Reads state.json below DIR (a directory of container ID). -ENOENT: there is none; other failures go into ret->damage. */
int state_load(int dir, const char *name, const char *id, struct arena *a, struct container *ret);
/* The same without the groups that came later. */
int state_load_own(int dir, const char *name, const char *id, struct arena *a, struct container *ret);
int state_save(int dir, const struct container *c, enum file_sync sync, struct nook_error *e);
/* Appends to c->cgroups what the file NAME (STORE_GROUPS) lists; state_load() does it, too. */
void state_add_groups(int dir, const char *name, struct arena *a, struct container *c);
