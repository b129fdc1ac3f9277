/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes on their way from one descriptor to another, in a poll(2) loop.  A reader that does not read stops the relay, not
 * the processor. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RELAY_SIZE = 16384 };

struct relay {
	int from, to;
	size_t start, end; /* of what was read and not yet written */
	uint64_t total;    /* bytes read so far */
	bool done;         /* nothing more will come */
	char data[RELAY_SIZE];
};

/* Two entries: waiting to read, waiting to write; at most one of them waits. */
void relay_poll(const struct relay *r, struct pollfd p[2]);
/* Does what poll(2) said is possible. */
void relay_step(struct relay *r, const struct pollfd p[2]);
/* Something was read that is still to be written. */
bool relay_is_full(const struct relay *r);
