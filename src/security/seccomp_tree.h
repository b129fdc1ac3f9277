/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From ranges of system call numbers to a BPF program: a binary search per architecture with argument checks at its
 * leaves.  Knows nothing of names, profiles or containers. */
#pragma once

#include "security/seccomp.h"

/* All of these conditions, then this verdict. */
struct seccomp_check {
	const struct seccomp_arg *args;
	size_t n_args;
	uint32_t verdict; /* SECCOMP_RET_* with data */
};

/* The numbers from `first` up to the next range: the first check that holds decides, else `verdict`. */
struct seccomp_range {
	uint32_t first;
	uint32_t verdict;
	const struct seccomp_check *checks;
	size_t n_checks;
	bool narrow; /* arguments are 32 bits wide: only their low words are compared */
};

struct seccomp_tree {
	uint32_t audit_arch;
	const struct seccomp_range *ranges; /* ascending, the first starts at 0 */
	size_t n_ranges;
};

/* Calls of an architecture without a tree get BAD_ARCH.  The first tree is the cheapest to reach. */
int seccomp_tree_build(struct arena *a, const struct seccomp_tree *trees, size_t n_trees, uint32_t bad_arch,
	struct sock_filter **ret, size_t *ret_n, struct nook_error *e);
