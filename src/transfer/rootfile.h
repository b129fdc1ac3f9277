/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A root file system in a file, whatever it is compressed with. */
#pragma once

#include "storage/depot.h"

/* A descriptor that archive/inflate.h can read: FILE itself, or (stdin as "-", xz, bzip2) a nameless copy of it. */
int rootfile_open(struct depot *d, const char *file, struct nook_error *e);
