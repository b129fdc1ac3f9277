/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run IMAGE: the image's layers as the root, and what its config says about the process. */
#pragma once

#include "cli/run_options.h"
#include "image/config.h"

struct run_image {
	const char *name;     /* canonical; NULL: by its id */
	const char *digest;   /* of its manifest */
	const char *const *layers; /* absolute, the topmost first; NULL-terminated */
	size_t n_layers;
	struct image_config config;
	int *locks;           /* of the layers: nobody removes them while these are open */
};

/* Finds the image that SOURCE names, and fetches or loads it when it is not there (or as POLICY says: "always", "missing",
 * "never"; NULL is "missing").  The database is closed again when this returns. */
int run_image_find(struct cli *c, const char *source, const char *policy, const char *platform, struct run_image *ret, struct nook_error *e);
/* Holds the layers of the image DIGEST, if it is still there, for a container that was made of it. */
int run_image_hold(struct cli *c, const char *digest, struct run_image *ret, struct nook_error *e);
void run_image_done(struct run_image *image);
/* The root, and defaults of the process that options then override. */
int run_image_apply(struct cli *c, const struct run_image *image, struct spec *s, struct nook_error *e);
