/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a layer as they were before compression, hashed on the way: the DiffID.  The compression is told by the
 * first bytes: gzip (any number of members), zstd (frames, skippable ones among them) or none.  The file may still be
 * growing: then reading waits until it has grown or is complete.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "image/digest.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inflate;

/* INPUT is read from its beginning with pread(2); borrowed, and need not be open before the first
 * inflate_read().  GROWTH: a stream that gets a byte whenever the file has grown and ends when it is complete; -1: it is complete.
 * ALGORITHM is inflate_digest()'s.  Everything that takes memory or libraries is set up here, so that a jail can be entered before the first byte. */
struct inflate *inflate_new(int input, int growth, enum digest_algorithm algorithm);
void inflate_free(struct inflate *f);
CLEANUP_DEFINE(struct inflate *, inflate_free)

/* The next piece, borrowed until the next call; 0 at the end.  Refused: bytes behind the last member or frame, windows beyond
 * 128 MiB, dictionaries, growth out of all proportion. */
ssize_t inflate_read(struct inflate *f, const void **ret, struct nook_error *e);
/* Reads what is left, for the digest. */
int inflate_drain(struct inflate *f, struct nook_error *e);
/* Of all that was read; once. */
void inflate_digest(struct inflate *f, char ret[static DIGEST_TEXT_MAX]);
