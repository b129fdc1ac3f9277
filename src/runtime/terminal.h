/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's terminal and the container's, joined: raw mode that is always taken back, window size, all output to the end. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <termios.h>

struct terminal {
	int master;          /* the container's; owned by the launch record */
	bool raw;            /* stdin was put into raw mode */
	struct termios before;
};

/* Puts stdin into raw mode when it is a terminal and copies its window size to MASTER. */
int terminal_join(struct terminal *t, int master, struct nook_error *e);
/* Gives stdin its mode back.  May be called at any time, any number of times. */
void terminal_restore(struct terminal *t);
/* Copies the window size again (SIGWINCH). */
void terminal_resize(const struct terminal *t);
