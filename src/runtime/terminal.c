/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/terminal.h"

#include "sys/pty.h"

#include <unistd.h>

void terminal_resize(const struct terminal *t)
{
	if (pty_copy_size(STDIN_FILENO, t->master, NULL) < 0)
		(void)pty_copy_size(STDOUT_FILENO, t->master, NULL); /* none of them may be a terminal */
}

int terminal_join(struct terminal *t, int master, struct nook_error *e)
{
	*t = (struct terminal){.master = master};
	if (isatty(STDIN_FILENO)) {
		TRY(pty_raw(STDIN_FILENO, &t->before, e));
		t->raw = true;
	}
	terminal_resize(t);
	return 0;
}

void terminal_restore(struct terminal *t)
{
	if (t->raw)
		pty_restore(STDIN_FILENO, &t->before);
	t->raw = false;
}
