/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file system in a file.  What is in the file may be hostile: its type is told here by its superblock, only types that
 * are made for disks are taken, and what is in it is read by the kernel alone, behind a mount that is attached nowhere.
 * Nothing allocates.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum fsimage_type { FSIMAGE_EXT4, FSIMAGE_XFS, FSIMAGE_BTRFS, FSIMAGE_SQUASHFS, FSIMAGE_EROFS, FSIMAGE_TYPES };
/* "ext4", ...: as the kernel and mount(8) spell them. */
extern const char *const fsimage_names[FSIMAGE_TYPES];
/* -1 when NAME is none of them. */
int fsimage_find(const char *name);
/* Can it be written at all?  squashfs and erofs cannot. */
bool fsimage_is_writable(enum fsimage_type type);

/* What the superblock says; none of it has been checked against the rest. */
struct fsimage {
	enum fsimage_type type;
	uint64_t bytes;       /* size of the file system; the file may be larger */
	uint32_t block_bytes;
	uint8_t uuid[16];     /* zeros: it has none */
	char label[33];
	bool dirty;           /* it was not unmounted: the journal is replayed by the next mount */
};
/* Reads the superblock: 0, or -EINVAL with a sentence. */
int fsimage_probe(int file, const char *object, struct fsimage *ret, struct nook_error *e);

enum fsimage_mode { FSIMAGE_WRITABLE, FSIMAGE_READ_ONLY };
/* The file, opened and locked: shared for FSIMAGE_READ_ONLY, else alone.  The lock lives as long as the descriptor or a
 * loop device that was made of it.  -EBUSY with a sentence when somebody uses it in another way. */
int fsimage_open(const char *path, enum fsimage_mode mode, struct nook_error *e);
/* The loop device over FILE, which somebody else has made and mounted writable: the same file system once more, as it is for
 * him now.  -ENOENT (nothing recorded) when there is none. */
int fsimage_mount_again(int file, enum fsimage_type type, unsigned attr, const char *object, struct nook_error *e);
/* A mount of it that is attached nowhere, with MOUNT_ATTR_*: a descriptor.  FILE is what fsimage_open() returned. */
int fsimage_mount(int file, enum fsimage_type type, enum fsimage_mode mode, unsigned attr, const char *object,
                  struct nook_error *e);
