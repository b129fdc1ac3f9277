/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks: files with a file system in them (sys/fsimage.h).  Who uses one holds the lock of the file, so all of this is
 * refused with -EBUSY while a container has it.  Making and checking is done by the programs of the file systems; what
 * needs a mount is done behind one that is attached nowhere, so the host never sees what is in the file.
 */
#pragma once

#include "base/buf.h"
#include "sys/fsimage.h"

struct disk_new {
	uint64_t bytes;
	enum fsimage_type type; /* one that can be written */
	const char *label;      /* NULL: none */
};

/* A new sparse file with an empty file system: -EEXIST when PATH is there. */
int disk_create(const char *path, const struct disk_new *n, struct nook_error *e);
/* The same in a file that has no name yet. */
struct draft;
int disk_make(struct draft *d, const char *path, const struct disk_new *n, struct nook_error *e);
/* The root directory of the disk FILE, mounted where nobody sees it; it is unmounted when the descriptor is closed.  Root.
 * PATH is the object of errors. */
int disk_mount_file(int file, const char *path, struct nook_error *e);
/* The root directory of the disk PATH for reading, whoever uses it: beside a container that runs it shows what that one
 * has written.  Mounted where nobody sees it, until the descriptor is closed.  Root. */
int disk_mount_beside(const char *path, struct nook_error *e);
/* Makes file and file system larger.  ext4: anybody who may write the file; else root. */
int disk_grow(const char *path, uint64_t bytes, struct nook_error *e);
/* Gives the space of what was deleted in it back to the file system that it lies on: bytes freed. */
int disk_compact(const char *path, uint64_t *ret_freed, struct nook_error *e);

enum disk_repair { DISK_LOOK, DISK_REPAIR };
enum disk_health { DISK_CLEAN, DISK_REPAIRED, DISK_DAMAGED };
/* What the program of its file system says of it goes to SAID: enum disk_health. */
int disk_check(const char *path, enum disk_repair mode, struct buf *said, struct nook_error *e);
/* Removes the file. */
int disk_remove(const char *path, struct nook_error *e);
/* Removes all that is in it, lost+found too.  Root. */
int disk_clear(const char *path, struct nook_error *e);

/* ---- disk_tools.c: one row per type of file system ------------------------------------------------------------------ */

/* PATH is the file of bytes N->bytes. */
int disk_tools_make(const char *path, const struct disk_new *n, struct nook_error *e);
int disk_tools_check(const char *path, enum fsimage_type type, enum disk_repair mode, struct buf *said, struct nook_error *e);
/* ext4 alone can be grown and trimmed as a file. */
int disk_tools_grow(const char *path, const char *object, struct nook_error *e);
int disk_tools_trim(const char *path, const char *object, struct nook_error *e);
