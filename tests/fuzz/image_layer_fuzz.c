/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the blob of a layer, compressed or not: nothing beside the target may appear or change. */
#include "archive/inflate.h"
#include "target.h"
#include "unpack/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct target *t = target_beside();
	struct writer_options o = target_options(WRITER_LAYER_USER);
	auto_close int input = scratch_file(data, size);
	AUTO(inflate_free) struct inflate *layer = inflate_new(input, -1, DIGEST_SHA256);
	struct nook_error e = NOOK_ERROR_INIT;
	char digest[DIGEST_TEXT_MAX];

	o.links_skipped = size % 2;
	auto_close int target = target_make(t);
	AUTO(writer_free) struct writer *w = writer_new(target, &o);

	if (archive_unpack_layer(layer, w, &e) < 0)
		MUST(e.step == STEP_UNPACK && e.object[0]);
	else
		inflate_digest(layer, digest);
	target_end(t);
	return 0;
}
