/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "runtime/kill.h"
#include "runtime/signals.h"

#include <signal.h>
#include <stdio.h>

struct options {
	const char *signal;
	bool all;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "to every process of the container, not only its first"},
	{'s', "signal", "SIGNAL", OPT_STRING, AT(signal), "KILL when not given: a name with or without SIG, RTMIN+3, or a number"},
	{0},
};

static int kill_one(struct store_run *r, const char *name, struct arena *a, int signal, bool all, struct nook_error *e)
{
	struct container c;

	TRY(container_load(r, name, a, &c, e));
	return container_kill(&c, signal, all ? KILL_ALL : KILL_FIRST, a, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	int signal = o->signal ? TRY(signal_parse(o->signal, e)) : SIGKILL;
	AUTO(runtime_close) struct store_run *r = NULL;
	int status = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (kill_one(r, argv[i], c->arena, signal, o->all, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		} else {
			(void)puts(argv[i]);
		}
	}
	return status;
}

const struct command cmd_kill = {
	.name = "kill",
	.usage = "[OPTIONS] CONTAINER...",
	.summary = "send a signal to running containers",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "The first process of a pid namespace gets only signals that it has a handler for, except KILL and STOP.\n",
	.examples = "nook kill web\nnook kill -s HUP web\n",
};
