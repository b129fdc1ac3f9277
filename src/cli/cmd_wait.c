/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "runtime/wait.h"

#include <stdio.h>

static int wait_one(struct cli *c, struct store_run *r, const char *name, struct nook_error *e)
{
	struct container container;

	TRY(container_load(r, name, c->arena, &container, e));
	return container_wait(r, &container, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	int result = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;
		int status = wait_one(c, r, argv[i], &one);

		if (status < 0) {
			cli_error(c, &one);
			result = 1;
		} else {
			(void)printf("%d\n", status);
			(void)fflush(stdout);
		}
	}
	return result;
}

const struct command cmd_wait = {
	.name = "wait",
	.usage = "CONTAINER...",
	.summary = "wait until containers have ended and print their exit statuses",
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.examples = "nook wait web\n",
};
