/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Compares two files from where they stand; BLOCKS have SIZE bytes each.  0: the same, 1: they differ, or -errno.  Holes that
 * both have are not read: an image may have terabytes of them. */
int content_compare(int left, int right, char *const blocks[static 2], size_t size);
