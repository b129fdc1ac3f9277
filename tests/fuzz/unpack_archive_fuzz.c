/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an archive: nothing beside the target may appear or change.  Odd sizes are read as layers. */
#include "target.h"
#include "unpack/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct target *t = target_beside();
	const struct writer_options o = target_options(size % 2 ? WRITER_LAYER_USER : WRITER_LAYER_NONE);
	auto_close int input = scratch_file(data, size);
	auto_close int target = target_make(t);
	AUTO(writer_free) struct writer *w = writer_new(target, &o);
	struct nook_error e = NOOK_ERROR_INIT;

	if (archive_unpack(input, w, &e) < 0)
		MUST(e.step == STEP_UNPACK && e.object[0]);
	target_end(t);
	return 0;
}
