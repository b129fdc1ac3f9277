/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/image_uses.h"

#include "base/text.h"

int image_uses(struct cli *c, struct container **ret, size_t *ret_n, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;

	TRY(runtime_open(c->run, c->arena, &r, e));
	return container_list(r, c->arena, ret, ret_n, e);
}

const struct container *image_user(const struct container *list, size_t n, const char *digest)
{
	for (size_t i = 0; i < n; i++) {
		const char *image = container_annotation(&list[i], ANNOTATION_IMAGE);

		if (image && text_is(image, digest))
			return &list[i];
	}
	return NULL;
}
