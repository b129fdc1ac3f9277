/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What could stand where the cursor is: `nook __complete -- WORD... CURRENT` prints candidates that begin with CURRENT,
 * a line each, with a tab and what it means.  The words before are read as main.c reads them, but never refused.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cli/commands.h"
#include "runtime/container.h"

#include <dirent.h>

/* What the words before the cursor led to. */
struct place {
	const struct command *const *commands; /* the list a command may come from; NULL: one was named */
	const struct command *cmd;             /* the one that was named last, or NULL */
	const struct opt *options;             /* of the command, or NULL */
	const struct opt *pending;             /* the option whose value comes now, or NULL */
	enum opt_mode mode;
	int n_args;                            /* arguments of the command before the cursor */
	bool ended;                            /* no options any more */
};

static const struct opt *find_in(const struct opt *table, const char *name, size_t len, char letter)
{
	for (const struct opt *row = table; row && row->type != OPT_END; row++) {
		if (row->type == OPT_SECTION)
			continue;
		if (letter ? row->letter == letter : name && row->name && strlen(row->name) == len && !memcmp(row->name, name, len))
			return row;
	}
	return NULL;
}

static const struct opt *find(const struct place *p, const char *name, size_t len, char letter)
{
	const struct opt *row = find_in(p->options, name, len, letter);

	return row ? row : find_in(global_options, name, len, letter);
}

static bool wants_next(const struct opt *row)
{
	return row && row->type != OPT_FLAG && row->type != OPT_OPTIONAL;
}

static void pass_option(struct place *p, const char *word)
{
	const struct opt *row = NULL;

	if (text_is(word, "--")) {
		p->ended = true;
		return;
	}
	if (word[1] == '-') {
		if (!strchr(word, '='))
			row = find(p, word + 2, strlen(word + 2), 0);
	} else {
		for (const char *letter = word + 1; *letter; letter++) {
			row = find(p, NULL, 0, *letter);
			if (wants_next(row) && letter[1])
				return; /* the rest of the word is the value */
		}
	}
	p->pending = wants_next(row) ? row : NULL;
}

static void pass_word(struct place *p, const char *word)
{
	if (p->pending) {
		p->pending = NULL;
	} else if (!p->ended && word[0] == '-' && word[1]) {
		pass_option(p, word);
	} else if (p->commands) {
		const struct command *cmd = command_find(p->commands, word);

		p->cmd = cmd;
		p->commands = cmd ? cmd->subs : NULL;
		p->options = cmd ? cmd->options : NULL;
		p->mode = cmd ? cmd->mode : OPT_STOP;
	} else {
		p->n_args++;
		p->ended = p->ended || p->mode != OPT_PERMUTE;
	}
}

static void offer(struct buf *out, const char *typed, const char *word, const char *meaning)
{
	if (text_after(word, typed))
		buf_addf(out, "%s\t%s\n", word, meaning ? meaning : "");
}

/* "text|json" offers both. LEAD is what stands before the value in the same word: "--log-format=". */
static void offer_values(struct buf *out, const char *typed, const char *lead, const char *value, const char *meaning)
{
	if (!value || !strchr(value, '|'))
		return;
	while (*value) {
		size_t len = strcspn(value, "|");
		auto_free char *word = xasprintf("%s%.*s", lead, (int)len, value);

		/* Capitals and brackets stand for something that is not known here. */
		if (value[0] >= 'a' && value[0] <= 'z' && !memchr(value, ' ', len) && !strpbrk(word, "[]"))
			offer(out, typed, word, meaning);
		value += len + (value[len] == '|');
	}
}

static void offer_options(struct buf *out, const char *typed, const struct opt *table)
{
	for (const struct opt *row = table; row && row->type != OPT_END; row++) {
		auto_free char *word = NULL;

		if (row->type == OPT_SECTION || !row->name)
			continue;
		word = xasprintf("--%s%s", row->name, wants_next(row) ? "=" : "");
		offer(out, typed, word, row->help);
	}
}

/* Names and ids of containers; what cannot be read is not offered. */
static void offer_containers(const struct cli *c, const char *typed, struct buf *out)
{
	struct container *list = NULL;
	struct store_run *run = NULL;
	size_t n = 0;

	/* Opening would make the directory. */
	if (access(c->run, R_OK) < 0 || runtime_open(c->run, c->arena, &run, NULL) < 0)
		return;
	if (container_list(run, c->arena, &list, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i].name && list[i].name[0])
			offer(out, typed, list[i].name, list[i].command);
		offer(out, typed, list[i].id, list[i].command);
	}
	runtime_close(run);
}

static void offer_kept_namespaces(const struct cli *c, const char *typed, struct buf *out)
{
	auto_free char *path = xasprintf("%s/ns", c->run);
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			offer(out, typed, entry->d_name, "kept namespaces");
	if (dir)
		(void)closedir(dir);
}

/* What the usage line says of arguments decides: CONTAINER, SOURCE, NAME, "bash|zsh|fish". */
static void offer_argument(const struct cli *c, const struct place *p, const char *typed, struct buf *out)
{
	const char *usage = p->cmd && p->cmd->usage ? p->cmd->usage : "";

	if (p->n_args && !strstr(usage, "..."))
		return;
	if (strstr(usage, "CONTAINER") && (!p->n_args || strstr(usage, "CONTAINER...")))
		offer_containers(c, typed, out);
	else if (text_is(usage, "NAME...") || text_after(usage, "[OPTIONS] NAME|PID"))
		offer_kept_namespaces(c, typed, out);
	else if (strstr(usage, "SOURCE") && !p->n_args)
		offer_values(out, typed, "", "host:|dir:|tar:", "where the root comes from");
	else if (!p->n_args)
		offer_values(out, typed, "", usage, "");
}

static void offer_all(const struct cli *c, const struct place *p, const char *typed, struct buf *out)
{
	const char *equals = strchr(typed, '=');

	if (p->pending) {
		offer_values(out, typed, "", p->pending->value, p->pending->help);
	} else if (!p->ended && text_after(typed, "--") && equals) {
		const struct opt *row = find(p, typed + 2, (size_t)(equals - typed - 2), 0);
		auto_free char *lead = xasprintf("%.*s", (int)(equals + 1 - typed), typed);

		if (row)
			offer_values(out, typed, lead, row->value, row->help);
	} else if (!p->ended && typed[0] == '-') {
		offer_options(out, typed, p->options);
		offer_options(out, typed, global_options);
	} else if (p->commands) {
		for (const struct command *const *list = p->commands; *list; list++)
			if ((*list)->summary)
				offer(out, typed, (*list)->name, (*list)->summary);
	} else {
		offer_argument(c, p, typed, out);
	}
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	struct place place = {.commands = commands};
	AUTO_VALUE(buf_done) struct buf out = {0};
	int r;

	for (int i = 0; i < argc - 1; i++)
		pass_word(&place, argv[i]);
	offer_all(c, &place, argc ? argv[argc - 1] : "", &out);
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_complete = {
	.name = "__complete",
	.usage = "-- [WORD...] CURRENT",
	.mode = OPT_STOP,
	.max_args = -1,
	.run = run,
};
