/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of files with holes: copied without reading a hole or filling one. */
#pragma once

#include "base/error.h"

enum reflink { REFLINK_AUTO, REFLINK_ALWAYS, REFLINK_NEVER };

/* Makes the empty file TO a copy of FROM: their blocks are shared where the file system can (REFLINK_AUTO, _ALWAYS). */
int sparse_copy(int from, int to, enum reflink how, const char *object, struct nook_error *e);
/* Gives back the space of blocks that hold nothing but zeros. */
int sparse_dig(int fd, const char *object, struct nook_error *e);
