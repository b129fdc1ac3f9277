/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A text that goes with a file system in a file, behind its end, where no driver looks: how the root in it is run.  Blocks of
 * 4096 bytes, the last of which ends with the text's length and a magic number.  It comes from whoever made the file.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* Puts TEXT behind what FILE holds. */
int note_append(int file, const char *text, const char *object, struct nook_error *e);
/* 1 and the text, in A; 0 when FILE has none.  RET_BYTES (may be NULL): what it takes at the end of the file. */
int note_find(int file, struct arena *a, const char **ret, uint64_t *ret_bytes, const char *object, struct nook_error *e);
