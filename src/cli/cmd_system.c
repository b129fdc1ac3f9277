/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "runtime/repair.h"

#include <stdio.h>

/* What was found, one line each; how many could not be cleared. */
static size_t report(struct cli *c, const struct stale *found, size_t n, const char *done)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		if (found[i].result == 0) {
			(void)printf("%s %s: %s%s\n", stale_names[found[i].kind], found[i].object, found[i].about, done);
			continue;
		}
		cli_error(c, &found[i].error);
		left++;
	}
	return left;
}

static int check(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct stale *found = NULL;
	size_t n = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(runtime_check(r, c->root, c->arena, &found, &n, e));
	(void)report(c, found, n, "");
	return n ? 1 : 0;
}

static int repair(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct stale *found = NULL;
	size_t n = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(runtime_repair(r, c->root, c->arena, &found, &n, e));
	return report(c, found, n, ": cleared") ? 1 : 0;
}

static const struct command system_check = {
	.name = "check",
	.usage = "",
	.summary = "tell what killed commands left behind",
	.run = check,
	.details = "The exit status is 1 when something was found.  Nothing is changed.\n",
	.examples = "nook system check\n",
};

static const struct command system_repair = {
	.name = "repair",
	.usage = "",
	.summary = "clear what killed commands left behind",
	.run = repair,
	.details = "Safe at any time: what other commands are working on is left alone.\n",
	.examples = "nook system repair\n",
};

extern const struct command system_df;
static const struct command *const subs[] = {&system_df, &system_check, &system_repair, NULL};

const struct command cmd_system = {
	.name = "system",
	.usage = "COMMAND",
	.summary = "look after nook's own state",
	.subs = subs,
	.examples = "nook system df\nnook system check\nnook system repair\n",
};
