/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_default.h"

#include "security/seccomp_default_table.h"
#include "security/seccomp_names.h"

/* Ascending by number; rows of one number in the order of the table. */
struct default_nr {
	uint32_t nr;
	uint32_t row; /* of default_rows */
};

#include "security/seccomp_default_numbers.h"

static const struct {
	const struct default_nr *nrs;
	size_t n;
} numbers[SECCOMP_ABIS] = {
	{default_nrs_0, N_DEFAULT_NRS_0},
	{default_nrs_1, N_DEFAULT_NRS_1},
	{default_nrs_2, N_DEFAULT_NRS_2},
};

static bool row_applies(const struct seccomp_row *row, uint64_t caps, bool nesting)
{
	if (!row->caps && !row->flags)
		return true;
	return (row->caps & caps) || ((row->flags & ROW_NESTING) && nesting);
}

void seccomp_default_ranges(struct arena *a, size_t abi, uint64_t caps, bool nesting, struct seccomp_ranges *r)
{
	const struct default_nr *nrs = numbers[abi].nrs;
	size_t n = numbers[abi].n;

	for (size_t i = 0, next; i < n; i = next) {
		struct seccomp_range call = {.first = nrs[i].nr, .verdict = r->otherwise};

		for (next = i; next < n && nrs[next].nr == nrs[i].nr; next++) {
			const struct seccomp_row *row = &default_rows[nrs[next].row];

			if (!row_applies(row, caps, nesting))
				continue;
			call.verdict = row->verdict;
			call.checks = row->checks;
			call.n_checks = row->n_checks;
		}
		seccomp_ranges_add(a, r, &call);
	}
}
