/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running nook-unpack that turns a layer's blob into a directory of ingest/, maybe while the blob still grows. */
#pragma once

#include "storage/layer.h"

struct unpacker;

struct unpacker_want {
	int blob;                  /* borrowed */
	bool grows;                /* tell it with unpacker_grown(); its end comes with unpacker_finish() */
	const char *const *lowers; /* absolute paths of the layers below, the topmost first; NULL-terminated or NULL */
	const char *what;          /* the layer's digest, for messages */
};

int unpacker_start(struct depot *d, const struct unpacker_want *want, struct unpacker **ret, struct nook_error *e);
/* -EPIPE (nothing recorded): it has ended; unpacker_finish() tells why. */
int unpacker_grown(struct unpacker *u);
/* Waits for its end.  0: the directory is complete, on the disk, and FACTS are true of it.  1: it has hard links to layers
 * below and must be done again with them; E names the first. */
int unpacker_finish(struct unpacker *u, struct layer_facts *ret, struct nook_error *e);
/* The finished directory, below the depot. */
const char *unpacker_dir(const struct unpacker *u);
/* Ends it if it runs, and removes the directory unless it was published. */
void unpacker_free(struct unpacker *u);
CLEANUP_DEFINE(struct unpacker *, unpacker_free)
