/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_default.h"

#include "security/seccomp_default_table.h"
#include "security/seccomp_names.h"

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

struct seccomp_range *seccomp_default_calls(struct arena *a, size_t abi, uint64_t caps, bool nesting, size_t *ret_n)
{
	const struct default_nr *nrs = numbers[abi].nrs;
	struct seccomp_range *calls = arena_new_n(a, struct seccomp_range, numbers[abi].n);
	size_t n = 0;

	for (size_t i = 0; i < numbers[abi].n; i++) {
		const struct seccomp_row *row = &default_rows[nrs[i].row];

		if (!row_applies(row, caps, nesting))
			continue;
		if (!n || calls[n - 1].first != nrs[i].nr)
			n++;
		calls[n - 1] = (struct seccomp_range){
			.first = nrs[i].nr,
			.verdict = row->verdict,
			.checks = row->checks,
			.n_checks = row->n_checks,
		};
	}
	*ret_n = n;
	return calls;
}
