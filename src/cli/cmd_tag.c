/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "image/reference.h"
#include "storage/image.h"

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct image image;

	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, argv[0], ENOENT, "there is no such image");
	TRY(image_find(d, argv[0], c->arena, &image, NULL, e));
	for (int i = 1; i < argc; i++) {
		struct reference r;

		TRY(reference_parse(argv[i], c->arena, &r, e));
		if (r.digest)
			return err_why(e, STEP_IMAGE, argv[i], EINVAL, "has a digest, which only what is in an image can give it");
		TRY(image_tag(d, &image, reference_text(&r, c->arena), e));
	}
	return 0;
}

const struct command cmd_tag = {
	.name = "tag",
	.usage = "IMAGE NAME...",
	.summary = "give an image one more name",
	.min_args = 2,
	.max_args = -1,
	.run = run,
	.examples = "nook tag debian:12 localhost:5000/base:1\n",
};
