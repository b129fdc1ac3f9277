/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/image_options.h"
#include "command/registry_options.h"

#include <stddef.h>

extern const struct command image_history;
extern const struct command image_inspect;
extern const struct command image_ls;
extern const struct command image_prune;
extern const struct command image_rm;
extern const struct command image_tag_command;

static const struct command *const subs[] = {
	&image_ls, &image_rm, &image_prune, &image_slim, &image_inspect, &image_history, &image_tag_command, &image_pull, &image_push,
	&image_load, &image_save, &image_import, NULL,
};

const struct command cmd_image = {
	.name = "image",
	.usage = "COMMAND",
	.summary = "look after images",
	.subs = subs,
	.examples = "nook image ls\nnook image prune\nnook image slim debian:12\n",
};
