/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/prune.h"

#include "cli/image_uses.h"
#include "image/reference.h"
#include "storage/collect.h"

#include <stdio.h>

static int prune_garbage(struct depot *d, struct arena *a, uint64_t *bytes, struct nook_error *e)
{
	struct garbage g = {.arena = a};

	TRY(garbage_find(d, &g, e));
	TRY(garbage_collect(d, &g, bytes, e));
	return depot_sweep(d, 0, e) < 0 ? -EIO : 0;
}

int prune_images(struct cli *c, enum prune_which which, const struct image_filter *filter, uint64_t *bytes, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct container *containers = NULL;
	struct image *images = NULL;
	size_t n = 0, n_containers = 0;

	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return 0;
	TRY(image_uses(c, &containers, &n_containers, e));
	TRY(image_list(d, c->arena, &images, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if ((which == PRUNE_NAMELESS && images[i].n_names) || image_user(containers, n_containers, images[i].digest))
			continue;
		if (!TRY(image_filter_passes(filter, d, &images[i], c->arena, e)))
			continue;
		/* One that is in use is left alone, that is all. */
		if (image_remove(d, &images[i], bytes, &one) == 0)
			(void)printf("%s\n", images[i].n_names ? reference_familiar(images[i].names[0]) : images[i].id);
		else if (one.step != STEP_IMAGE)
			cli_error(c, &one);
	}
	return prune_garbage(d, c->arena, bytes, e);
}
