/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_ranges.h"

enum { FAR_ABOVE = 0x10000 };

static void append(struct arena *a, struct seccomp_ranges *r, const struct seccomp_range *range)
{
	const struct seccomp_range *last = r->n ? &r->items[r->n - 1] : NULL;

	if (last && last->verdict == range->verdict && !last->n_checks && !range->n_checks)
		return;
	*arena_push(a, &r->items, &r->n) = *range;
}

void seccomp_ranges_add(struct arena *a, struct seccomp_ranges *r, const struct seccomp_range *call)
{
	if (call->first > r->next) {
		uint32_t verdict = call->first - r->next > FAR_ABOVE ? r->newer : r->otherwise;

		append(a, r, &(struct seccomp_range){.first = r->next, .verdict = verdict});
	}
	append(a, r, call);
	r->next = call->first + 1;
}

void seccomp_ranges_from(struct arena *a, struct seccomp_ranges *r, uint32_t first, uint32_t verdict)
{
	append(a, r, &(struct seccomp_range){.first = first, .verdict = verdict});
	r->next = first;
}
