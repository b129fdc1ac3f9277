/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook: options of the program, which command, its options, its arguments, run.  This stands before every container
 * start, so it does nothing that the command at hand does not need.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "command/log.h"
#include "command/transfer.h"
#include "cli/places.h"

#include <stdio.h>

enum { EXIT_NOOK = 125, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127, PATH_WORDS_MAX = 64 };

/* What is being called: the command, the words that led to it, and its options struct. */
struct call {
	const struct command *cmd;
	char path[PATH_WORDS_MAX]; /* "cgroup ls"; "" for the program itself */
	struct globals globals;
	struct cli cli;
	const char *const *words; /* of a command that nook-transfer runs: "load", "-i", "x" */
};

static int print(const struct buf *text, int fd)
{
	int r = fd_write(fd, text->data, text->len);
	struct nook_error e = NOOK_ERROR_INIT;

	if (r < 0) {
		(void)err_num(&e, STEP_STDIO, fd == STDOUT_FILENO ? "stdout" : "stderr", r);
		cli_error(&(struct cli){0}, &e);
	}
	return r < 0 ? EXIT_NOOK : 0;
}

static int print_help(const struct call *call, int fd)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (call->cmd)
		help_command(call->cmd, call->path, &text);
	else
		help_program(&text);
	return print(&text, fd);
}

/* A call that cannot be understood: one line, and where to read how it is meant. */
static int misused(const struct call *call, const struct nook_error *e)
{
	char message[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128], hint[PATH_WORDS_MAX + 64];

	(void)nook_error_text(e, message, sizeof(message));
	(void)snprintf(hint, sizeof(hint), "see nook %s%s--help", call->path, call->path[0] ? " " : "");
	log_write(call->cli.log_format, &(struct log_line){"error", message, hint, e});
	return EXIT_NOOK;
}

/* --log-format comes first of all: the messages that follow are written in it. */
static int log_format_read(struct call *call, struct nook_error *e)
{
	const char *format = call->globals.log_format;

	if (!format || text_is(format, "text"))
		call->cli.log_format = LOG_TEXT;
	else if (text_is(format, "json"))
		call->cli.log_format = LOG_JSON;
	else
		return err_fmt(e, STEP_OPTION, "--log-format", EINVAL, "\"%.40s\" is neither text nor json", format);
	return 0;
}

static int settle(struct call *call, struct nook_error *e)
{
	struct globals *g = &call->globals;
	struct cli *c = &call->cli;

	if (!g->root)
		g->root = secure_getenv("NOOK_ROOT");
	if (!g->run)
		g->run = secure_getenv("NOOK_RUN");
	c->root = g->root && g->root[0] ? g->root : NULL;
	c->run = g->run && g->run[0] ? g->run : NULL;
	c->debug = g->debug;
	c->quiet = g->quiet;
	return places_default(c, e);
}

static int check_arguments(const struct call *call, int argc, char **argv, struct nook_error *e)
{
	const struct command *cmd = call->cmd;

	if (argc < cmd->min_args)
		return err_fmt(e, STEP_COMMAND, call->path, EINVAL, "an argument is missing: nook %s %s", call->path, cmd->usage);
	if (cmd->max_args >= 0 && argc > cmd->max_args)
		return err_fmt(e, STEP_COMMAND, call->path, EINVAL, "\"%.100s\" is one argument too many: nook %s %s",
		               argv[cmd->max_args], call->path, cmd->usage);
	return 0;
}

/* Descends one word: 0, or -EINVAL when LIST has no such command. */
static int enter(struct call *call, const struct command *const *list, const char *name, struct nook_error *e)
{
	const struct command *found = command_find(list, name);
	size_t len = strlen(call->path);
	const char *near;

	if (found) {
		call->cmd = found;
		(void)snprintf(call->path + len, sizeof(call->path) - len, "%s%s", len ? " " : "", found->name);
		return 0;
	}
	near = command_nearest(list, name);
	if (near)
		return err_fmt(e, STEP_COMMAND, name, EINVAL, "there is no such command; did you mean \"%s\"?", near);
	return err_why(e, STEP_COMMAND, name, EINVAL, "there is no such command");
}

/* Parses global options up to the first word that is none. */
static int parse_global(struct call *call, int *argc, char ***argv, struct nook_error *e)
{
	const struct opt *const tables[] = {global_options, NULL};
	void *const targets[] = {&call->globals, NULL};
	int first = 0;

	TRY(opt_parse(*argc, *argv, tables, OPT_STOP, targets, call->cli.arena, &first, e));
	TRY(log_format_read(call, e));
	*argc -= first;
	*argv += first;
	return 0;
}

/* The command's path and what stands behind it, kept as it was before options and arguments are told apart. */
static void keep_words(struct call *call, int argc, char **argv)
{
	struct arena *a = call->cli.arena;
	const char **list = NULL;
	char *save = NULL;
	size_t n = 0;

	for (char *word = strtok_r(arena_strdup(a, call->path), " ", &save); word; word = strtok_r(NULL, " ", &save))
		*arena_push(a, &list, &n) = word;
	for (int i = 1; i < argc; i++)
		*arena_push(a, &list, &n) = argv[i];
	call->words = list;
}

/* From the words of the command line to the command, its options and its arguments. */
static int parse(struct call *call, int *argc, char ***argv, void **ret_options, struct nook_error *e)
{
	const struct command *const *list = commands;
	const struct opt *tables[] = {global_options, NULL, NULL};
	void *targets[] = {&call->globals, NULL, NULL};
	int first = 0;

	while (list) {
		TRY(parse_global(call, argc, argv, e));
		if (!*argc || call->globals.help || call->globals.version)
			return 0;
		TRY(enter(call, list, (*argv)[0], e));
		list = call->cmd->subs;
	}
	if (call->cmd->transfer)
		keep_words(call, *argc, *argv);
	*ret_options = arena_alloc(call->cli.arena, call->cmd->options_size);
	if (call->cmd->options) {
		tables[0] = call->cmd->options;
		targets[0] = *ret_options;
		tables[1] = global_options;
		targets[1] = &call->globals;
	}
	TRY(opt_parse(*argc, *argv, tables, call->cmd->mode, targets, call->cli.arena, &first, e));
	TRY(log_format_read(call, e));
	*argc -= first;
	*argv += first;
	return 0;
}

/* As shells and docker have it: 127 the program to run is not there, 126 it cannot be run, 125 nook itself failed. */
static int exit_status(const struct nook_error *e, int r)
{
	if (e->step != STEP_EXEC)
		return EXIT_NOOK;
	return r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

int main(int argc, char **argv)
{
	AUTO(arena_free) struct arena *arena = arena_new();
	struct call call = {.cli.arena = arena};
	struct nook_error e = NOOK_ERROR_INIT;
	void *options = NULL;
	int r;

	/* As it was: the parser moves options before arguments. */
	call.cli.argv = arena_memdup(arena, argv, ((size_t)argc + 1) * sizeof(*argv));
	if (parse(&call, &argc, &argv, &options, &e) < 0) {
		(void)log_format_read(&call, NULL); /* it may have stood before what was wrong */
		return misused(&call, &e);
	}
	if (call.globals.help)
		return print_help(&call, STDOUT_FILENO);
	if (call.globals.version)
		return print(&(struct buf){.data = (char[]){"nook " NOOK_VERSION "\n"}, .len = sizeof("nook " NOOK_VERSION "\n") - 1},
		             STDOUT_FILENO);
	if (!call.cmd || call.cmd->subs) {
		(void)print_help(&call, STDERR_FILENO);
		return EXIT_NOOK;
	}
	if (check_arguments(&call, argc, argv, &e) < 0)
		return misused(&call, &e);
	r = settle(&call, &e);
	if (r >= 0)
		r = call.cmd->transfer ? transfer_exec(&call.cli, call.words, &e) : call.cmd->run(&call.cli, options, argc, argv, &e);
	if (fflush(stdout) != 0 && r >= 0)
		r = err_sys(&e, STEP_STDIO, "stdout");
	if (r >= 0)
		return r;
	if ((e.step == STEP_OPTION || e.step == STEP_COMMAND) && !nook_error_hint(&e))
		return misused(&call, &e);
	cli_error(&call.cli, &e);
	return exit_status(&e, r);
}
