/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "cli/image_uses.h"
#include "image/reference.h"
#include "storage/image.h"

#include <stdio.h>

struct options {
	bool force, all, no_prune;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "all images that no container needs; with --force all"},
	{'f', "force", NULL, OPT_FLAG, AT(force), "also when containers were made of it, or it has several names; a missing one is fine"},
	{0, "no-prune", NULL, OPT_FLAG, AT(no_prune), "keep images without a name that it was made of (they always stay; for docker's habits)"},
	{0},
};

/* What keeps IMAGE: a container that runs, or without FORCE any that was made of it. */
static int check_free(struct cli *c, const struct image *i, bool force, struct nook_error *e)
{
	struct container *list = NULL;
	size_t n = 0;

	TRY(image_uses(c, &list, &n, e));
	for (size_t k = 0; k < n; k++) {
		const char *image = container_annotation(&list[k], ANNOTATION_IMAGE);
		const bool runs = container_status(&list[k]) != CONTAINER_STOPPED;

		if (!image || !text_is(image, i->digest) || (force && !runs))
			continue;
		return err_fmt(e, STEP_IMAGE, i->n_names ? reference_familiar(i->names[0]) : i->id, EBUSY, "container %s %s",
			list[k].name[0] ? list[k].name : list[k].id,
			runs ? "runs on it" : "was made of it: remove that first, or say --force");
	}
	return 0;
}

static int remove_whole(struct cli *c, struct depot *d, const struct image *i, bool force, struct nook_error *e)
{
	TRY(check_free(c, i, force, e));
	TRY(image_remove(d, i, NULL, e));
	for (size_t k = 0; k < i->n_names; k++)
		(void)printf("Untagged: %s\n", reference_familiar(i->names[k]));
	(void)printf("Deleted: %s\n", i->id);
	return 0;
}

static int remove_one(struct cli *c, struct depot *d, const char *text, bool force, struct nook_error *e)
{
	struct image image;
	const char *name = NULL;
	int r = image_find(d, text, c->arena, &image, &name, e);

	if (r == -ENOENT && force)
		return 0;
	TRY(r);
	if (!name) {
		if (image.n_names > 1 && !force)
			return err_fmt(e, STEP_IMAGE, text, EBUSY, "has %zu names: say which, or --force for all", image.n_names);
		return remove_whole(c, d, &image, force, e);
	}
	if (image.n_names == 1)
		TRY(check_free(c, &image, force, e));
	r = TRY(image_untag(d, name, e));
	(void)printf("Untagged: %s\n", reference_familiar(name));
	if (r)
		(void)printf("Deleted: %s\n", image.id);
	return 0;
}

/* All without a container. */
static int remove_all(struct cli *c, struct depot *d, bool force, struct nook_error *e)
{
	struct container *list = NULL;
	struct image *images = NULL;
	size_t n = 0, n_images = 0;
	int status = 0;

	TRY(image_uses(c, &list, &n, e));
	TRY(image_list(d, c->arena, &images, &n_images, e));
	for (size_t i = 0; i < n_images; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (!force && image_user(list, n, images[i].digest))
			continue;
		if (remove_whole(c, d, &images[i], force, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		}
	}
	return status;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO(depot_close) struct depot *d = NULL;
	int status = 0;

	if (!argc == !o->all)
		return err_why(e, STEP_COMMAND, "rmi", EINVAL, "which image? name it, or say --all");
	TRY(depot_open(c->root, DEPOT_WRITE, c->arena, &d, e));
	if (o->all)
		return remove_all(c, d, o->force, e);
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (remove_one(c, d, argv[i], o->force, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		}
	}
	return status;
}

const struct command cmd_rmi = {
	.name = "rmi",
	.usage = "[OPTIONS] IMAGE...",
	.summary = "remove images, or names of images",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
	.details = "Of an image with several names only the given one goes. What other images need, and what a running container "
		   "uses, stays.",
	.examples = "nook rmi debian:12\nnook rmi --all\n",
};

const struct command image_rm = {
	.name = "rm",
	.usage = "[OPTIONS] IMAGE...",
	.summary = "remove images, as nook rmi does",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
	.examples = "nook image rm debian:12\n",
};
