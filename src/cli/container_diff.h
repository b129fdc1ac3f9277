/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container of an image has changed. */
#pragma once

#include "command/command.h"
#include "runtime/container.h"

/* Its changes as overlayfs keeps them, and the image as it was below them: descriptors of directories.  -ENODATA with a
 * sentence when the changes are not in a directory. */
int container_diff_open(struct cli *c, const struct container *container, int *ret_upper, int *ret_original, struct nook_error *e);
