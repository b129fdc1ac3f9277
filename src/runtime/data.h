/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories of one container on disk, outside RUN: ROOT/unpacked/ID (the root of a tar: source, or a copy of an image's
 * files), ROOT/layers/ID (its changes: "upper" and "work", or "disk.img" with those in it).  The state names them, so they go
 * with the container.  When the state is lost, as RUN is when the machine restarts, `nook system repair` finds them:
 * their names tell the run directory, their users hold a lock.
 */
#pragma once

#include "runtime/container.h"

enum data_kind { DATA_UNPACKED, DATA_LAYER, DATA_KINDS };
extern const char *const data_names[DATA_KINDS]; /* below ROOT */

const char *data_path(const struct store_run *r, const char *root, enum data_kind kind, const char *id, struct arena *a);
/* Is PATH, which a container keeps, its directory of this kind? */
bool data_is(enum data_kind kind, const char *path);
/* Makes the directory, 0700, and returns a descriptor of it with a shared lock: keep it open while the directory is used,
 * close it before the container is removed. */
int data_make(const char *path, struct nook_error *e);
/* Takes it for one user alone: -EBUSY with a sentence when it is in use.  Closing the descriptor gives it back. */
int data_lock(const char *path, struct nook_error *e);
#define DATA_DISK "disk.img"
/* Is ROOT/KIND/NAME of this run directory, of no container, and in nobody's use?  Then a descriptor with an
 * exclusive lock, under which it may be removed, otherwise -EBUSY; nothing is recorded. */
int data_orphan_lock(const struct store_run *r, const char *root, enum data_kind kind, const char *name, struct arena *a);
