/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook-transfer: what makes, fetches and writes images.  nook hands it the words that it was called with; apart from nook
 * because of the libraries that this takes, which no start of a container should have to load.
 */
#include "base/text.h"
#include "command/command.h"
#include "transfer/transfer.h"

#include <signal.h>
#include <stdio.h>

enum { EXIT_FAILED = 125 };

struct globals {
	const char *root, *run, *log_format;
	bool debug, quiet;
};

#define AT(member) offsetof(struct globals, member)
static const struct opt global_table[] = {
	{0, "root", "DIR", OPT_STRING, AT(root), "keep images in DIR"},
	{0, "run", "DIR", OPT_STRING, AT(run), "the state of containers"},
	{0, "debug", NULL, OPT_FLAG, AT(debug), "tell what is being done"},
	{0, "quiet", NULL, OPT_FLAG, AT(quiet), "errors only, no notes"},
	{0, "log-format", "text|json", OPT_STRING, AT(log_format), "how errors and notes are written"},
	{0},
};

static int parse_globals(struct cli *c, int *argc, char ***argv, struct nook_error *e)
{
	struct globals g = {0};
	const struct opt *const tables[] = {global_table, NULL};
	void *const targets[] = {&g, NULL};
	int first = 0;

	TRY(opt_parse(*argc, *argv, tables, OPT_STOP, targets, c->arena, &first, e));
	*argc -= first;
	*argv += first;
	if (!g.root || !*argc)
		return err_why(e, STEP_COMMAND, "nook-transfer", EINVAL, "is a helper of nook: call nook");
	c->root = g.root;
	c->run = g.run;
	c->debug = g.debug;
	c->quiet = g.quiet;
	c->log_format = g.log_format && text_is(g.log_format, "json") ? LOG_JSON : LOG_TEXT;
	return 0;
}

static const struct transfer_command *find_name(const char *name)
{
	for (const struct transfer_command *t = transfer_commands; t->about; t++)
		if (text_is(t->path ? t->path : t->about->name, name))
			return t;
	return NULL;
}

/* "image slim" is one command of two words; "image load" is a second name of "load". */
static const struct transfer_command *find(int *argc, char ***argv, struct arena *a)
{
	const struct transfer_command *t = *argc > 1 ? find_name(arena_printf(a, "%s %s", (*argv)[0], (*argv)[1])) : NULL;
	const bool has_two = t || (*argc > 1 && text_is((*argv)[0], "image"));

	*argc -= has_two;
	*argv += has_two;
	return t ? t : find_name((*argv)[0]);
}

static int run(struct cli *c, int argc, char **argv, struct nook_error *e)
{
	const struct transfer_command *t;
	int first = 0;

	TRY(parse_globals(c, &argc, &argv, e));
	t = find(&argc, &argv, c->arena);
	if (!t)
		return err_why(e, STEP_COMMAND, argv[0], EINVAL, "there is no such command");

	void *options = arena_alloc(c->arena, t->about->options_size);
	const struct opt *const tables[] = {t->about->options, NULL};
	void *const targets[] = {options, NULL};

	if (t->about->options)
		TRY(opt_parse(argc, argv, tables, t->about->mode, targets, c->arena, &first, e));
	else
		first = 1;
	return t->run(c, options, argc - first, argv + first, e);
}

int main(int argc, char **argv)
{
	AUTO(arena_free) struct arena *arena = arena_new();
	struct cli c = {.arena = arena};
	struct nook_error e = NOOK_ERROR_INIT;
	int r;

	/* Who stops reading is told by EPIPE. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = run(&c, argc, argv, &e);
	if (fflush(stdout) != 0 && r >= 0)
		r = err_sys(&e, STEP_STDIO, "stdout");
	if (r >= 0)
		return r;
	cli_error(&c, &e);
	return EXIT_FAILED;
}
