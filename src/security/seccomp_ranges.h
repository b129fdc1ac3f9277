/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collects the verdicts on single numbers, which come in ascending order, into ranges with equal ones. */
#pragma once

#include "security/seccomp_tree.h"

struct seccomp_ranges {
	struct seccomp_range *items;
	size_t n;
	uint32_t next;      /* the first number that nothing was said about */
	uint32_t otherwise; /* the verdict on numbers that are passed over */
	uint32_t newer;     /* the same when very many are: ARM's private calls lie far above all others */
};

/* One call; CALL->first is its number. */
void seccomp_ranges_add(struct arena *a, struct seccomp_ranges *r, const struct seccomp_range *call);
/* Every number from FIRST on, until more is said. */
void seccomp_ranges_from(struct arena *a, struct seccomp_ranges *r, uint32_t first, uint32_t verdict);
