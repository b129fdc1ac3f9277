/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tar: sources: the program nook-unpack, which reads the archive in a jail of its own, and where to find it. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Fills the directory TARGET from ARCHIVE (.tar, .gz, .bz2, .zst, .xz).  As root, files get the owners that the archive
 * names; otherwise all belong to the caller.  Device nodes are left out.  The error names the archive and in its detail
 * the entry; what was written before it stays, for the caller to remove with the directory. */
int tar_unpack(const char *archive, int target, struct nook_error *e);

/* The path of a helper program: beside the running program (a build folder), else where it was installed. */
int helper_find(const char *name, char *path, size_t size, struct nook_error *e);
