/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which containers a command means: one id, or with --regex all whose id matches. */
#pragma once

#include "oci/oci.h"

/* The ids, from the arena.  Without REGEX it is PATTERN itself, whether there is such a container or not. */
int oci_select(struct oci *o, struct store_run *r, const char *pattern, bool regex, const char ***ret, size_t *ret_n,
	struct nook_error *e);
