/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

void terminal_resize(const struct terminal *t)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(t->master, TIOCSWINSZ, &size);
}

int terminal_join(struct terminal *t, int master, struct nook_error *e)
{
	struct termios raw;

	*t = (struct terminal){.master = master};
	if (tcgetattr(STDIN_FILENO, &t->before) == 0) {
		raw = t->before;
		cfmakeraw(&raw);
		if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
			return err_sys(e, STEP_CONSOLE, "raw mode");
		t->raw = true;
	}
	terminal_resize(t);
	return 0;
}

void terminal_restore(struct terminal *t)
{
	if (t->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
	t->raw = false;
}
