/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "command/transfer.h"
#include "runtime/repair.h"

#include <stdio.h>
#include <unistd.h>

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

struct options {
	bool repair;
};

#define AT(member) offsetof(struct options, member)
static const struct opt check_table[] = {
	{0, "repair", NULL, OPT_FLAG, AT(repair), "clear it, and make whole what can be, as nook system repair does"},
	{0},
};

/* The store of images is looked through by the program that can compute digests. */
static int check_images(struct cli *c, bool repair, struct nook_error *e)
{
	/* Blobs without a database are looked at, too. */
	if (access(arena_printf(c->arena, "%s/images", c->root), F_OK) < 0)
		return 0;
	(void)fflush(stdout);
	return transfer_run(c, (const char *const[]){"store-check", repair ? "--repair" : NULL, NULL}, STDOUT_FILENO, e);
}

static int repair(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct stale *found = NULL;
	size_t n = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(runtime_repair(r, c->root, c->arena, &found, &n, e));
	const size_t left = report(c, found, n, ": cleared");

	return TRY(check_images(c, true, e)) || left ? 1 : 0;
}

static int check(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	struct stale *found = NULL;
	size_t n = 0;

	if (o->repair)
		return repair(c, options, argc, argv, e);
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(runtime_check(r, c->root, c->arena, &found, &n, e));
	(void)report(c, found, n, "");
	return TRY(check_images(c, false, e)) || n ? 1 : 0;
}

static const struct command system_check = {
	.name = "check",
	.usage = "[OPTIONS]",
	.summary = "tell what killed commands left behind, and what is wrong with images",
	.options = check_table,
	.options_size = sizeof(struct options),
	.run = check,
	.details = "The exit status is 1 when something was found.  Every blob of an image is read and compared with its digest, and "
		   "every layer with what its blob unpacks to.  Without "
		   "--repair nothing is changed.\n",
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

extern const struct command system_df, system_prune;
static const struct command *const subs[] = {&system_df, &system_check, &system_repair, &system_prune, NULL};

const struct command cmd_system = {
	.name = "system",
	.usage = "COMMAND",
	.summary = "look after nook's own state",
	.subs = subs,
	.examples = "nook system df\nnook system check\nnook system repair\n",
};
