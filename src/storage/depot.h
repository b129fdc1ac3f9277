/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where images are kept, shared by any number of processes without a daemon:
 *
 *     ROOT/images/depot.db          names, images, which layers and blobs they need (SQLite)
 *     ROOT/images/blobs/ALG/HEX     manifests, configs and layers as they were received, by digest
 *     ROOT/images/layers/KEY/       a layer unpacked, ready to be a lower directory of overlayfs
 *     ROOT/images/ingest/           what is not finished: partial blobs, layers being unpacked, trees being removed
 *
 * A file or directory gets its final name only when it is complete, verified and on the disk; an image gets its name in
 * the database only when all that it needs has its final name.  So whatever is cut off leaves things in ingest/ or things
 * that nobody names: the first are swept by the next command, the second by `nook image prune`.
 *
 * Who uses a layer or a blob holds a shared lock (flock) on it; who removes one takes the exclusive lock first, then asks
 * the database.  The database is only open for the moment of a question and never across a clone().
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "storage/db.h"

#include <stdbool.h>

struct unpacker_host;

struct depot {
	const char *root; /* ROOT/images */
	int fd;           /* of it, O_PATH */
	struct arena *arena;
	struct db *db;    /* opened when it is needed */
	int *held;        /* locks that are kept until depot_close() */
	size_t n_held;
	const struct unpacker_host *unpackers; /* NULL: they are children of the caller */
};

/* DEPOT_READ makes nothing: 1 when there is no depot yet, and *RET is NULL.  DEPOT_WRITE makes what is missing and sweeps
 * what cut-off commands left. */
enum depot_mode { DEPOT_READ, DEPOT_WRITE };
int depot_open(const char *root, enum depot_mode mode, struct arena *a, struct depot **ret, struct nook_error *e);
void depot_close(struct depot *d);
CLEANUP_DEFINE(struct depot *, depot_close)

/* The database, opened on first use and borrowed. */
int depot_db(struct depot *d, struct db **ret, struct nook_error *e);
/* Closes it again: before anything is cloned. */
void depot_db_close(struct depot *d);
/* A new database in place of one that is damaged or missing, with every image whose documents are among the blobs: FOUND is
 * called with the digest of each.  Their names are lost. */
int depot_rebuild(struct depot *d, void (*found)(const char *digest), struct nook_error *e);
/* Keeps FD, which holds a lock, until depot_close(). */
void depot_hold(struct depot *d, int fd);

/* Removes what cut-off commands left in ingest/ and nobody holds; partial blobs stay for PARTIAL_SECONDS, so that a
 * second pull can go on with them.  Returns how many things were removed. */
enum { PARTIAL_SECONDS = 24 * 3600 };
int depot_sweep(struct depot *d, int64_t partial_seconds, struct nook_error *e);
/* A new directory ingest/KIND-..., 0700 and locked (shared): a descriptor, and its name below the depot in NAME. */
enum { INGEST_NAME_MAX = 64 };
int ingest_dir(struct depot *d, const char *kind, char name[static INGEST_NAME_MAX], struct nook_error *e);
/* Moves DIR/NAME out of sight in one step and removes it; who was cut off in between leaves it to the sweep. */
int ingest_discard(struct depot *d, const char *path, struct nook_error *e);
