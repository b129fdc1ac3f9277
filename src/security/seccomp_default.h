/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook's own profile in numbers; seccomp_default_table.h is its readable form. */
#pragma once

#include "security/seccomp_tree.h"

/* The calls of one ABI (an index of seccomp_names.h) that differ from "refused", ascending, each as a range of one
 * number.  The array is NULL for an ABI that does not exist. */
struct seccomp_range *seccomp_default_calls(struct arena *a, size_t abi, uint64_t caps, bool nesting, size_t *ret_n);
