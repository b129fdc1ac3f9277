/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the files of a tar archive lie in it, for archives that hold images.  Reads names and sizes and nothing else: ustar,
 * GNU long names, pax path and size.  Entries of other types than files and symbolic links are passed over.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TARINDEX_ENTRIES_MAX = 65536, TARINDEX_NAME_MAX = 4096 };

struct tarindex_entry {
	const char *name; /* no "./" in front */
	const char *link; /* of a symbolic link; NULL for a file */
	uint64_t at, size;
};

struct tarindex {
	struct tarindex_entry *entries;
	size_t n;
};

/* FD is a regular file, read with pread(2).  WHAT is the object of errors. */
int tarindex_read(int fd, const char *what, struct arena *a, struct tarindex *ret, struct nook_error *e);
/* The file of this name, through symbolic links between entries; the last of several.  NULL: none. */
const struct tarindex_entry *tarindex_find(const struct tarindex *t, const char *name);
