/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/image_uses.h"
#include "cli/prune.h"
#include "command/bytes.h"

#include <stdio.h>

struct options {
	bool all, force, volumes;
	struct opt_list filters;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "all images that no container needs, not only those without a name"},
	{0, "filter", "until=AGE", OPT_STRINGS, AT(filters), "only what is older; label=KEY[=VALUE] chooses images"},
	{0, "volumes", NULL, OPT_FLAG, AT(volumes), "volumes that nobody gave a name and no container has, too"},
	{'f', "force", NULL, OPT_FLAG, AT(force), "never asks anyway; for docker's habits"},
	{0},
};

static int prune_containers(struct cli *c, int64_t before_ns, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container *list = NULL;
	size_t n = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(container_list(r, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (container_status(&list[i]) != CONTAINER_STOPPED || (before_ns && list[i].created_ns >= before_ns))
			continue;
		if (container_remove(r, &list[i], REMOVE_STOPPED, &one) == 0)
			(void)printf("%s\n", list[i].id);
		else
			cli_error(c, &one);
	}
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct image_filter filter = {0};
	uint64_t bytes = 0;

	TRY(image_filter_parse(&o->filters, c->arena, &filter, e));
	if (!filter.labels)
		TRY(prune_containers(c, filter.before_ns, e));
	if (o->volumes)
		TRY(prune_volumes(c, PRUNE_ANONYMOUS, &(struct opt_list){0}, e));
	TRY(prune_images(c, o->all ? PRUNE_UNUSED : PRUNE_NAMELESS, &filter, &bytes, e));
	(void)printf("Reclaimed: %s\n", bytes_text(bytes, c->arena));
	return 0;
}

const struct command cmd_prune = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "remove containers that have ended and images that nobody needs",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.details = "Named volumes and disks stay. What was reclaimed is what images took; layers of containers come on top.\n",
	.examples = "nook prune\nnook prune --all --filter until=24h\n",
};

/* docker's name of it. */
const struct command system_prune = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "remove what nobody needs, as nook prune does",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.examples = "nook system prune --volumes\n",
};
