/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "cli/ns_pins.h"

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	for (int i = 0; i < argc; i++) {
		const char *path = NULL;

		TRY(ns_pins_path(c->arena, c->run, argv[i], &path, e));
		TRY(ns_pins_remove(path, argv[i], e));
	}
	return 0;
}

const struct command cmd_ns_rm = {
	.name = "rm",
	.usage = "NAME...",
	.summary = "let go of namespaces that nook ns keep made",
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "A namespace ends when nothing uses it any more: processes that run in it keep it.\n",
	.examples = "nook ns rm lab\n",
};
