/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* The names in directory DIR/NAME in no order, without "." and ".."; an absent directory has none.  Errors: STEP_FILE. */
int names_read(int dir, const char *name, struct arena *a, const char ***ret, size_t *ret_n, struct nook_error *e);
