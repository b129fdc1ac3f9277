/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as manifest, index and config; what is taken must hold what the rest of nook trusts in. */
#include "fuzz.h"
#include "image/config.h"
#include "image/digest.h"

#include <string.h>

static void check_descriptor(const struct descriptor *d)
{
	MUST(digest_is_valid(d->digest) && d->media_type && d->size <= INT64_MAX);
}

static void check_document(const struct image_document *d, struct arena *a)
{
	struct image_document again;
	struct nook_error e = NOOK_ERROR_INIT;
	const struct descriptor *chosen = NULL;
	struct platform here;
	const char *text;

	platform_host(&here);
	if (d->is_index) {
		for (size_t i = 0; i < d->index.n_manifests; i++)
			check_descriptor(&d->index.manifests[i]);
		(void)image_index_select(&d->index, &here, "fuzz", a, &chosen, &e);
		text = image_index_text(&d->index, a);
	} else {
		check_descriptor(&d->manifest.config);
		MUST(d->manifest.n_layers <= IMAGE_LAYERS_MAX);
		for (size_t i = 0; i < d->manifest.n_layers; i++)
			check_descriptor(&d->manifest.layers[i]);
		(void)manifest_check_image(&d->manifest, "fuzz", &e);
		text = manifest_text(&d->manifest, a);
	}
	/* What was read can be written and read again. */
	MUST(image_document_parse(text, strlen(text), NULL, "fuzz", a, &again, &e) == 0 && again.is_index == d->is_index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_document d;
	struct image_config c;

	if (image_document_parse((const char *)data, size, NULL, "fuzz", a, &d, &e) == 0)
		check_document(&d, a);
	for (size_t layers = 0; layers < 3; layers++)
		if (image_config_parse((const char *)data, size, layers, "fuzz", a, &c, &e) == 0) {
			MUST(c.n_diff_ids == layers);
			for (size_t i = 0; i < layers; i++)
				MUST(digest_is_valid(c.diff_ids[i]));
			(void)image_config_change(&c, "CMD [\"x\"]", a, &e);
			(void)image_time(c.created);
			(void)image_config_text(&c, a);
		}
	return 0;
}
