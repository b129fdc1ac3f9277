/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* What DIR/NAME takes on the disk, as du(1) counts it: blocks, hard links once.  0 when it is not there. */
int usage_of(int dir, const char *name, uint64_t *ret, struct nook_error *e);
