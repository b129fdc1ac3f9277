/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/prune.h"
#include "command/bytes.h"

#include <stdio.h>

struct options {
	bool all, force;
	struct opt_list filters;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "also those with a name that no container was made of"},
	{0, "filter", "KEY=VALUE", OPT_STRINGS, AT(filters), "only those that match: until=AGE, label=KEY[=VALUE], reference=PATTERN"},
	{'f', "force", NULL, OPT_FLAG, AT(force), "never asks anyway; for docker's habits"},
	{0},
};

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct image_filter filter = {0};
	uint64_t bytes = 0;

	TRY(image_filter_parse(&o->filters, c->arena, &filter, e));
	TRY(prune_images(c, o->all ? PRUNE_UNUSED : PRUNE_NAMELESS, &filter, &bytes, e));
	(void)printf("Reclaimed: %s\n", bytes_text(bytes, c->arena));
	return 0;
}

const struct command image_prune = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "remove images without a name, and layers that no image needs",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.details = "Layers and blobs of cut-off pulls go, too. What is in use stays.\n",
	.examples = "nook image prune\nnook image prune --all --filter until=240h\n",
};
