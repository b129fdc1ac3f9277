/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: what an image says about the process, and what an image of the new container would say. */
#pragma once

#include "cli/run_options.h"
#include "image/config.h"

/* TEXT is the config of a root without layers: a container's (struct container), or one that came with a file. */
int run_config_parse(struct cli *c, const char *text, const char *name, struct image_config *ret, struct nook_error *e);
/* Defaults of the process, which options then override. */
int run_config_apply(struct cli *c, const struct image_config *config, struct spec *s, struct nook_error *e);
/* CONFIG (NULL: none) as the options change it, and the arguments. */
int run_config_text(struct cli *c, const struct run_options *o, const struct image_config *config, char **argv, int argc,
	const char **ret, struct nook_error *e);
