/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include "base/text.h"
#include "cli/commands.h"

enum lines { LINES_WRAPPED, LINES_AS_THEY_ARE };

static void add_commands(const struct command *const *list, struct buf *out)
{
	int widest = 0;

	for (const struct command *const *c = list; *c; c++)
		if ((*c)->summary && (int)strlen((*c)->name) > widest)
			widest = (int)strlen((*c)->name);
	for (const struct command *const *c = list; *c; c++)
		if ((*c)->summary)
			buf_addf(out, "  %-*s   %s\n", widest, (*c)->name, (*c)->summary);
}

/* Each line of TEXT, indented; long ones are wrapped, except examples and tables, which start with a blank. */
static void add_lines(const char *text, enum lines kind, struct buf *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		auto_free char *line = xasprintf("%.*s", (int)len, text);

		if (len)
			buf_adds(out, "  ");
		if (kind == LINES_WRAPPED && line[0] != ' ')
			opt_help_text(line, 2, out);
		else
			buf_addf(out, "%s\n", line);
		text += len + (text[len] == '\n');
	}
}

void help_command(const struct command *cmd, const char *path, struct buf *out)
{
	buf_addf(out, "nook %s: %s\n\nUsage: nook %s %s\n", path, cmd->summary ? cmd->summary : "", path,
	         cmd->usage ? cmd->usage : "COMMAND");
	if (cmd->details) {
		buf_addc(out, '\n');
		add_lines(cmd->details, LINES_WRAPPED, out);
	}
	if (cmd->subs) {
		buf_adds(out, "\nCommands:\n");
		add_commands(cmd->subs, out);
	}
	if (cmd->options) {
		/* A table that starts with a heading brings its own. */
		if (cmd->options->type != OPT_SECTION)
			buf_adds(out, "\nOptions:\n");
		opt_help(cmd->options, out);
	}
	if (cmd->examples) {
		buf_adds(out, "\nExamples:\n");
		add_lines(cmd->examples, LINES_AS_THEY_ARE, out);
	}
	buf_adds(out, "\nGlobal options: see nook --help\n");
}

void help_program(struct buf *out)
{
	buf_adds(out, "nook: Linux containers, small and fast\n\nUsage: nook [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARG...]\n\nCommands:\n");
	add_commands(commands, out);
	buf_adds(out, "\nGlobal options:\n");
	opt_help(global_options, out);
	buf_adds(out, "\nMore on a command: nook help COMMAND\n");
}
