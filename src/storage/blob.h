/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Complete blobs.  Names are checked digests (image/digest.h); what is there was verified when it was put there. */
#pragma once

#include "base/buf.h"
#include "storage/depot.h"

#include <stdint.h>

enum { BLOB_PATH_MAX = 160 };

/* "blobs/sha256/HEX", below the depot. */
void blob_path(const char *digest, char ret[static BLOB_PATH_MAX]);
/* A descriptor with a shared lock, which keeps it from being removed; -ENOENT (nothing recorded) when it is not there.
 * RET_SIZE may be NULL. */
int blob_open(const struct depot *d, const char *digest, uint64_t *ret_size, struct nook_error *e);
/* The whole of a small one, appended to B. */
int blob_read(const struct depot *d, const char *digest, size_t limit, struct buf *b, struct nook_error *e);
