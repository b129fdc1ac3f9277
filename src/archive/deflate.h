/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes compressed into a file as fast as can be, and hashed on the way: gzip by ISA-L at its level 1 (zlib's, where that is
 * missing) or zstd at level 3.  The same bytes always give the same file.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "image/digest.h"
#include "image/media.h"

#include <stdint.h>

struct deflate;

/* OUT is borrowed and written from where it stands.  COMPRESSION_NONE copies. */
struct deflate *deflate_new(enum compression how, int out);
void deflate_free(struct deflate *d);
CLEANUP_DEFINE(struct deflate *, deflate_free)
int deflate_write(struct deflate *d, const void *data, size_t size, struct nook_error *e);
/* The end of the stream; once.  The sha256 digest and size of what was written out. */
int deflate_finish(struct deflate *d, char ret_digest[static DIGEST_TEXT_MAX], uint64_t *ret_size, struct nook_error *e);
