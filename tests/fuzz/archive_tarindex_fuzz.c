/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an archive of images: every file of the index lies inside it. */
#include "archive/tarindex.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int input = scratch_file(data, size);
	struct nook_error e = NOOK_ERROR_INIT;
	struct tarindex t = {0};

	if (tarindex_read(input, "fuzz", a, &t, &e) < 0)
		return 0;
	for (size_t i = 0; i < t.n; i++) {
		const struct tarindex_entry *found = tarindex_find(&t, t.entries[i].name);

		MUST(t.entries[i].link || (t.entries[i].at <= size && t.entries[i].size <= size - t.entries[i].at));
		MUST(!found || !found->link);
	}
	return 0;
}
