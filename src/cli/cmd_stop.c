/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "runtime/kill.h"
#include "runtime/signals.h"

#include <stdio.h>

struct options {
	const char *signal;
	struct opt_i64 seconds;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'s', "signal", "SIGNAL", OPT_STRING, AT(signal), "instead of what nook run --stop-signal or the image says (TERM)"},
	{'t', "time", "SECONDS", OPT_I64, AT(seconds), "how long to wait before what is left is killed (10); -1: for ever"},
	{0},
};

enum { SECONDS_DEFAULT = 10 };

static int stop_one(struct cli *cli, struct store_run *r, const struct options *o, const char *name, struct nook_error *e)
{
	struct container c;
	int signal;

	TRY(container_load(r, name, cli->arena, &c, e));
	signal = TRY(o->signal ? signal_parse(o->signal, e) : container_stop_signal(&c, e));
	return container_stop(r, &c, signal, o->seconds.set ? o->seconds.value : SECONDS_DEFAULT, cli->arena, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	int status = 0;

	if (o->seconds.set && o->seconds.value < -1)
		return err_why(e, STEP_OPTION, "--time", ERANGE, "it is a number of seconds, or -1");
	TRY(runtime_open(c->run, c->arena, &r, e));
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (stop_one(c, r, o, argv[i], &one) < 0) {
			cli_error(c, &one);
			status = 1;
		} else {
			(void)puts(argv[i]);
			(void)fflush(stdout);
		}
	}
	return status;
}

const struct command cmd_stop = {
	.name = "stop",
	.usage = "[OPTIONS] CONTAINER...",
	.summary = "end containers in peace, or by force when that takes too long",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "The first process of a container gets a signal, TERM unless the image or nook run --stop-signal says otherwise. It has "
		   "to have a handler for it (or nook run --init) to end by it. A container that has ended already is fine.",
	.examples = "nook stop web\nnook stop -t 60 db\n",
};
