/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook run IMAGE where the store's file system carries no overlay or maps no ids (a store on an overlay, as in a container, on
 * NFS or FUSE): the container gets a copy of the image's files, which belong to its ids.
 */
#pragma once

#include "cli/run_image.h"
#include "cli/run_options.h"
#include "plan/build.h"
#include "runtime/idrange.h"

/* Does a container with the ids that SPEC asks for, and its layer in STORAGE, need a copy? */
bool run_copy_is_needed(const struct run_image *image, const struct spec *s, const struct plan_host *host, const struct run_storage *storage);
/* The files of IMAGE into the empty directory TO; RANGE: whose they are then, NULL: the owners stay. */
int run_copy(const struct run_image *image, int to, const struct idrange *range, struct nook_error *e);
