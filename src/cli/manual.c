/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/manual.h"

#include "base/text.h"
#include "cli/commands.h"

/* A paragraph as it is, without markup; one with an indented line is a literal block. */
static void add_paragraph(const char *text, size_t len, struct buf *out)
{
	auto_free char *copy = xasprintf("%.*s", (int)len, text);

	if (copy[0] == ' ' || strstr(copy, "\n "))
		buf_addf(out, "```\n%s\n```\n", copy);
	else
		opt_manual_text(copy, out);
	buf_adds(out, "\n\n");
}

static void add_paragraphs(const char *text, struct buf *out)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);

		while (len && text[len - 1] == '\n')
			len--;
		if (len)
			add_paragraph(text, len, out);
		text = end ? end + 2 : text + strlen(text);
	}
}

static void add_usage(const char *path, const struct command *cmd, struct buf *out)
{
	buf_addf(out, "*nook %s* ", path);
	opt_manual_text(cmd->usage ? cmd->usage : "COMMAND", out);
	buf_adds(out, "\n\n");
}

static void add_title(const char *name, const char *summary, struct buf *out)
{
	buf_addf(out, "%s(1) \"\" \"nook %s\"\n\n# NAME\n\n%s - %s\n\n# SYNOPSIS\n\n", name, NOOK_VERSION, name, summary);
}

static void add_examples(const char *examples, struct buf *out)
{
	if (examples)
		buf_addf(out, "```\n%s%s```\n\n", examples, examples[strlen(examples) - 1] == '\n' ? "" : "\n");
}

/* "nook cgroup ls" as a section of nook-cgroup(1); what has a page of its own is told there. */
static void add_sub(const char *parent, const struct command *sub, struct buf *out)
{
	auto_free char *path = xasprintf("%s %s", parent, sub->name);

	buf_addf(out, "## nook %s\n\n", path);
	add_usage(path, sub, out);
	opt_manual_text(sub->summary, out);
	if (command_find(commands, sub->name) == sub) {
		buf_addf(out, ": *nook-%s*(1)\n\n", sub->name);
		return;
	}
	buf_adds(out, "\n\n");
	if (sub->details)
		add_paragraphs(sub->details, out);
	if (sub->options)
		opt_manual(sub->options, out);
	add_examples(sub->examples, out);
}

void manual_command(const struct command *cmd, const char *extra, struct buf *out)
{
	auto_free char *name = xasprintf("nook-%s", cmd->name);

	add_title(name, cmd->summary, out);
	add_usage(cmd->name, cmd, out);
	buf_adds(out, "# DESCRIPTION\n\n");
	add_paragraphs(cmd->details ? cmd->details : cmd->summary, out);
	if (cmd->options) {
		buf_adds(out, "# OPTIONS\n\n");
		opt_manual(cmd->options, out);
	}
	if (cmd->subs) {
		buf_adds(out, "# COMMANDS\n\n");
		for (const struct command *const *sub = cmd->subs; *sub; sub++)
			if ((*sub)->summary)
				add_sub(cmd->name, *sub, out);
	}
	if (extra)
		buf_addf(out, "%s\n", extra);
	if (cmd->examples) {
		buf_adds(out, "# EXAMPLES\n\n");
		add_examples(cmd->examples, out);
	}
	buf_adds(out, "# SEE ALSO\n\n*nook*(1)\n");
}

void manual_program(const char *extra, struct buf *out)
{
	add_title("nook", "Linux containers, small and fast", out);
	buf_adds(out, "*nook* \\[GLOBAL OPTIONS\\] COMMAND \\[OPTIONS\\] \\[ARG...\\]\n\n# COMMANDS\n\n");
	for (const struct command *const *c = commands; *c; c++) {
		if (!(*c)->summary)
			continue;
		buf_addf(out, "*nook-%s*(1)\n\t", (*c)->name);
		opt_manual_text((*c)->summary, out);
		buf_adds(out, "\n\n");
	}
	buf_adds(out, "# GLOBAL OPTIONS\n\nThey may stand before or after the command.\n\n");
	opt_manual(global_options, out);
	if (extra)
		buf_adds(out, extra);
}
