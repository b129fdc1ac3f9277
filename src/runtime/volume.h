/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes: what outlives containers, under a name.
 *
 *     ROOT/volumes/NAME/volume.json   what it is; the directory itself carries the lock (flock): shared by who uses it
 *     ROOT/volumes/NAME/data          driver "dir": its root
 *     ROOT/volumes/NAME/disk.img      driver "disk": a file system of its own, and so a limit
 *     ROOT/volumes/NAME/new           nothing was ever put into it: the first container fills it
 *
 * A volume gets its name when it is whole, and loses it before it is taken apart.
 */
#pragma once

#include "runtime/container.h"
#include "sys/fsimage.h"

struct volume {
	const char *name;
	const char *driver;  /* "dir", "disk" */
	const char *fs;      /* "disk": one of fsimage_names */
	uint64_t bytes;      /* "disk": its size */
	int64_t created_ns;
	bool anonymous;      /* nobody gave it a name: it goes with its last container */
	struct spec_pair *labels;
	size_t n_labels;
	const char *source;  /* not saved: its root directory, or its disk */
};

/* Do driver, file system and size fit each other? */
int volume_check(const struct volume *v, struct nook_error *e);
/* -EEXIST: there is one of this name.  V->source is not needed. */
int volume_create(const char *root, const struct volume *v, struct arena *a, struct nook_error *e);
/* -ENOENT with a sentence when there is none. */
int volume_load(const char *root, const char *name, struct arena *a, struct volume *ret, struct nook_error *e);
/* All of them by name; damaged ones are left out. */
int volume_list(const char *root, struct arena *a, struct volume **ret, size_t *ret_n, struct nook_error *e);
/* The ids of the containers that name it, running or not; NULL-terminated. */
int volume_users(struct store_run *r, const char *name, struct arena *a, const char ***ret, size_t *ret_n, struct nook_error *e);
/* -EBUSY with a sentence when a container names it or somebody is about to use it. */
int volume_remove(struct store_run *r, const char *root, const char *name, struct nook_error *e);
/* Removes those that C names, nobody gave a name and no other container names. */
int volume_drop_anonymous(struct store_run *r, const char *root, const struct container *c, struct nook_error *e);

/* Removes what killed commands left of volumes that they made or took apart. */
int volume_sweep(const char *root, struct nook_error *e);

/* A use: as long as LOCK is open the volume stays.  FILL >= 0: it is new, and to be filled by who holds it, who then says
 * volume_filled(); a first filling that was cut off is forgotten. */
struct volume_use {
	int lock, fill;
};
#define VOLUME_USE_INIT {-EBADF, -EBADF}
enum volume_fill { VOLUME_COPY, VOLUME_NO_COPY };
int volume_use(const char *root, const struct volume *v, enum volume_fill fill, struct volume_use *ret, struct nook_error *e);
int volume_filled(const struct volume_use *u, struct nook_error *e);
void volume_use_done(struct volume_use *u);
