/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process beside a box that gives it something, and ends with it. */
#pragma once

#include "base/spawn.h"

struct box_helper {
	int control; /* a socket for orders, or -EBADF */
	int pidfd;
	pid_t pid;   /* 0: there is none */
};
#define BOX_HELPER_NONE {-EBADF, -EBADF, 0}

/* Starts the program that S describes; errors but its own are of STEP.  What is started is the caller's to end, also when this
 * fails. */
int box_helper_start(const struct spawn_start *s, enum step_id step, struct box_helper *ret, struct nook_error *e);
/* Waits until a byte can be read from PIPE, which means that it is ready: 0, -ETIMEDOUT, or -EPIPE when it has ended before. */
int box_helper_wait_byte(const struct box_helper *h, int pipe, int timeout_ms);
/* Ends it and waits for its end; none is fine. */
void box_helper_end(struct box_helper *h);
