/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/container_diff.h"

#include "base/fd.h"
#include "runtime/upper.h"
#include "storage/merge.h"

int container_diff_open(struct cli *c, const struct container *container, int *ret_upper, int *ret_original, struct nook_error *e)
{
	const char *digest = container_annotation(container, ANNOTATION_IMAGE);
	AUTO(depot_close) struct depot *d = NULL;
	AUTO_VALUE(upper_done) struct upper upper = UPPER_INIT;
	struct image image;

	if (!digest)
		return err_why(e, STEP_CONTAINER, container->id, EINVAL, "was not made of an image, which it could be compared with");
	TRY(upper_open(container, c->arena, &upper, e));
	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, digest, ENOENT, "there is no such image");
	TRY(image_find(d, digest, c->arena, &image, NULL, e));
	depot_db_close(d);
	if (image.n_layers > 1)
		TRY(merge_become_mounter(e));
	*ret_original = TRY(image_merge(&image, e));
	*ret_upper = take_fd(&upper.dir);
	return 0;
}
