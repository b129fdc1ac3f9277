/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the layers below, for hard links to them: overlayfs cannot link across layers, so the new name gets a copy, as
 * the kernel itself would copy the file up.
 */
#pragma once

#include "base/error.h"
#include "unpack/entry_name.h"

#include <stdbool.h>
#include <stddef.h>

/* The descriptor (O_RDONLY, of a regular file) that NAME has in LOWERS, seen as overlayfs shows them: the topmost first,
 * whiteouts and opaque directories end the search.  -ENOENT when there is none, -EPERM when it is no regular file.
 * Nothing is recorded. */
int lower_open(const int *lowers, size_t n, const struct entry_name *name);
/* Content, owner (if KEEP_OWNER), xattrs, mode and times of FROM to the new file TO. */
enum lower_owner { LOWER_OWNER_KEPT, LOWER_OWNER_OURS };
int lower_copy(int from, int to, enum lower_owner owner);
