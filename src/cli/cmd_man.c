/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the build: manual pages and the list of commands that have one. */
#include "base/fd.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/manual.h"

enum { EXTRA_MAX = 1024 * 1024 };

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf page = {0}, extra = {0};
	const struct command *cmd = command_find(commands, argv[0]);
	int r;

	if (!cmd && !text_is(argv[0], "nook"))
		return err_why(e, STEP_COMMAND, argv[0], EINVAL, "there is no such command");
	if (argc > 1)
		TRY(file_read(AT_FDCWD, argv[1], EXTRA_MAX, &extra, e));
	if (cmd)
		manual_command(cmd, buf_text(&extra), &page);
	else
		manual_program(buf_text(&extra), &page);
	r = fd_write(STDOUT_FILENO, page.data, page.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_man = {
	.name = "__man",
	.usage = "COMMAND|nook [FILE]",
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
