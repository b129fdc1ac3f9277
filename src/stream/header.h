/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entries of a tar stream as POSIX has it (pax records over ustar headers), written and read.  Read are also GNU's long
 * names and base-256 numbers.  What comes in is anybody's: names, records and numbers have limits.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

enum { BLOCK = 512, XATTRS_MAX = 256 << 10 };

struct entry_piece {
	uint64_t at, size;
};

struct entry {
	mode_t mode;            /* with its type; a hard link has that of a regular file */
	bool hard_link;
	bool sparse;            /* the file had holes: zeros become holes again */
	const struct entry_piece *pieces; /* written: what a file of SIZE bytes has besides holes, as GNU tar 1.0 tells it; or NULL */
	size_t n_pieces;
	uint64_t size;          /* of the data that follows */
	uint32_t uid, gid;
	struct timespec mtime;
	uint32_t major, minor;
	char name[PATH_MAX];
	char link[PATH_MAX];    /* text of a symbolic link, or name of an entry that came before */
	struct buf xattrs;      /* "name\0" length (uint32_t) value, one after the other */
};

/* A comment on the whole stream, in front of its entries: readers pass over it. */
int entry_write_comment(int fd, const char *text, struct nook_error *e);
/* 1: the stream FILE, from its start, has such a comment, which is added to RET; 0: it has none, or is no tar stream. */
int entry_find_comment(int file, struct buf *ret);
/* Header and records of E, without its data: that is its SIZE bytes, or with PIECES those of each, padded all together. */
int entry_write(int fd, const struct entry *entry, struct nook_error *e);
/* The zeros that fill the last block of SIZE bytes. */
int entry_write_padding(int fd, uint64_t size, struct nook_error *e);
/* Two blocks of zeros. */
int entry_write_end(int fd, struct nook_error *e);
/* 1 and the next entry, 0 at the end.  The caller reads entry_padded(size) bytes behind it.  ENTRY->xattrs is emptied and
 * filled; entry_done() frees it. */
int entry_read(int fd, struct entry *entry, struct nook_error *e);
void entry_done(struct entry *entry);
static inline uint64_t entry_padded(uint64_t size)
{
	return (size + BLOCK - 1) / BLOCK * BLOCK;
}
