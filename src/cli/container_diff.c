/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/container_diff.h"

#include "storage/difference.h"
#include "storage/merge.h"

int container_diff_open(struct cli *c, struct store_run *r, const struct container *container, struct upper *ret_upper, int *ret_original,
	struct nook_error *e)
{
	const char *digest = container_annotation(container, ANNOTATION_IMAGE);
	AUTO(depot_close) struct depot *d = NULL;
	AUTO_VALUE(upper_done) struct upper upper = UPPER_INIT;
	struct image image;

	if (!digest)
		return err_why(e, STEP_CONTAINER, container->id, EINVAL, "was not made of an image, which it could be compared with");
	TRY(upper_open(r, container, c->arena, &upper, e));
	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, digest, ENOENT, "there is no such image");
	TRY(image_find(d, digest, c->arena, &image, NULL, e));
	depot_db_close(d);
	if (image.n_layers > 1)
		TRY(merge_become_mounter(e));
	*ret_original = TRY(image_merge(&image, e));
	*ret_upper = upper;
	upper = (struct upper)UPPER_INIT;
	return 0;
}

/* A time alone, and a name more, are told with what they come from. */
static const enum change_kind kinds[] = {
	[DIFFERENCE_NEW] = CHANGE_ADDED, [DIFFERENCE_TYPE] = CHANGE_TYPE, [DIFFERENCE_CONTENT] = CHANGE_CONTENT,
	[DIFFERENCE_STATUS] = CHANGE_META, [DIFFERENCE_REST] = CHANGE_KINDS, [DIFFERENCE_GONE] = CHANGE_DELETED,
};

static int tell(void *data, const struct difference *d, struct nook_error *e)
{
	const struct changes_how *how = data;
	const struct change change = {.kind = kinds[d->kind], .path = d->path, .link = d->link, .mode = d->st ? d->st->st_mode : 0};

	if (change.kind == CHANGE_KINDS)
		return 0;
	return how->tell(how->data, &change, e);
}

int container_diff_whole(const struct upper *u, int original, const struct changes_how *how, struct nook_error *e)
{
	struct changes_how copy = *how;

	return difference_walk(original, u->dir, &(struct difference_how){.owners = u->owners, .tell = tell, .data = &copy}, e);
}
