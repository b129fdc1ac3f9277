/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nook export says of the process in the first record of a tar archive. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* CONFIG (image/config.h) as the archive's comment. */
int exported_write(int fd, const char *config, struct nook_error *e);
/* It, in A; NULL when the archive FILE has none. */
const char *exported_comment(int file, struct arena *a);
