/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths as texts; nothing is looked up, so links are not followed. */
#pragma once

#include <stddef.h>

/* Takes ".", ".." and repeated slashes out of PATH, which starts with a slash, in place: as the kernel would walk it if no
 * name on the way were a link. */
void path_clean(char *path);
/* The rest of PATH below DIR, which may end with a slash ("" for DIR itself), or NULL when PATH is not in it. */
const char *path_below(const char *path, const char *dir);
