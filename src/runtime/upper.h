/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container has changed, as overlayfs keeps it: a directory, or one in a disk that nobody else sees.  Or, where its root is
 * a copy (runtime/copied.h), all its files, which tell nothing by themselves: they are compared with the image's.
 */
#pragma once

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "runtime/container.h"
#include "stream/owners.h"

struct upper {
	int dir;  /* the changes, open for reading */
	int lock; /* of one that has ended: nobody removes, restores or runs it meanwhile; else -EBADF */
	bool is_whole; /* all files; OWNERS: whose they are */
	struct owners owners;
};
#define UPPER_INIT {.dir = -EBADF, .lock = -EBADF}

/* -ENODATA with a sentence when it keeps none. */
int upper_open(struct store_run *r, const struct container *c, struct arena *a, struct upper *ret, struct nook_error *e);
void upper_done(struct upper *u);
