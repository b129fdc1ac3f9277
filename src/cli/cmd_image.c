/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/image_options.h"
#include "command/registry_options.h"

#include <stddef.h>

extern const struct command cmd_history;
extern const struct command cmd_inspect;
extern const struct command cmd_tag;
extern const struct command image_ls;
extern const struct command image_prune;
extern const struct command image_rm;

static const struct command *const subs[] = {
	&image_ls, &image_rm, &image_prune, &image_slim,
	/* docker's second names of these: */
	&cmd_inspect, &cmd_history, &cmd_tag, &cmd_pull, &cmd_push, &cmd_load, &cmd_save, &cmd_import, NULL,
};

const struct command cmd_image = {
	.name = "image",
	.usage = "COMMAND",
	.summary = "look after images",
	.subs = subs,
	.examples = "nook image ls\nnook image prune\nnook image slim debian:12\n",
};
