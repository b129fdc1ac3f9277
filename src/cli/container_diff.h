/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container of an image has changed. */
#pragma once

#include "box/changes.h"
#include "command/command.h"
#include "runtime/upper.h"

/* Its changes, and the image as it was below them, an open directory.  -ENODATA with a sentence when it keeps none. */
int container_diff_open(struct cli *c, struct store_run *r, const struct container *container, struct upper *ret_upper, int *ret_original,
	struct nook_error *e);
/* Tells, as changes_walk() does, of a container that keeps all its files. */
int container_diff_whole(const struct upper *u, int original, const struct changes_how *how, struct nook_error *e);
