/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook's own profile in numbers; seccomp_default_table.h is its readable form. */
#pragma once

#include "security/seccomp_ranges.h"

/* Adds the calls of one ABI (an index of seccomp_names.h) that the profile names, for a container with CAPS. */
void seccomp_default_ranges(struct arena *a, size_t abi, uint64_t caps, bool nesting, struct seccomp_ranges *r);
