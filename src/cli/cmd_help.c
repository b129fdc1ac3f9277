/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/help.h"

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0}, path = {0};
	const struct command *const *list = commands;
	const struct command *cmd = NULL;
	int r;

	for (int i = 0; i < argc; i++) {
		cmd = list ? command_find(list, argv[i]) : NULL;
		if (!cmd) {
			const char *near = list ? command_nearest(list, argv[i]) : NULL;

			return near ? err_fmt(e, STEP_COMMAND, argv[i], EINVAL, "there is no such command; did you mean \"%s\"?", near)
			            : err_why(e, STEP_COMMAND, argv[i], EINVAL, "there is no such command");
		}
		buf_addf(&path, "%s%s", i ? " " : "", cmd->name);
		list = cmd->subs;
	}
	if (cmd)
		help_command(cmd, buf_text(&path), &text);
	else
		help_program(&text);
	r = fd_write(STDOUT_FILENO, text.data, text.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_help = {
	.name = "help",
	.usage = "[COMMAND [COMMAND]]",
	.summary = "show what a command does and takes",
	.max_args = 2,
	.run = run,
	.examples = "nook help run\nnook help cgroup ls\n",
};
