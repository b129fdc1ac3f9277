/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container has changed, as overlayfs keeps it: a directory, or one in a disk that nobody else sees. */
#pragma once

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/error.h"

struct container;

struct upper {
	int dir;  /* the changes, open for reading */
	int lock; /* of one that has ended: nobody removes, restores or runs it meanwhile; else -EBADF */
};
#define UPPER_INIT {-EBADF, -EBADF}

/* -ENODATA with a sentence when it keeps none. */
int upper_open(const struct container *c, struct arena *a, struct upper *ret, struct nook_error *e);
void upper_done(struct upper *u);
