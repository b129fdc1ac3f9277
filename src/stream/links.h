/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Under which name a file with several names came first. */
#pragma once

#include "base/alloc.h"

#include <sys/stat.h>

struct links {
	struct link_entry *slots;
	size_t n, room; /* room: a power of two, or 0 */
	struct arena *names;
};

/* The earlier name of the same file, or NULL: then NAME is noted. */
const char *links_find(struct links *l, const struct stat *st, const char *name);
void links_done(struct links *l);
