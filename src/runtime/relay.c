/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/relay.h"

#include <errno.h>
#include <unistd.h>

bool relay_is_full(const struct relay *r)
{
	return r->start < r->end;
}

void relay_poll(const struct relay *r, struct pollfd p[2])
{
	p[0] = (struct pollfd){r->done || relay_is_full(r) ? -1 : r->from, POLLIN, 0};
	p[1] = (struct pollfd){relay_is_full(r) ? r->to : -1, POLLOUT, 0};
}

static void take(struct relay *r)
{
	ssize_t n = read(r->from, r->data, sizeof(r->data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* EIO: the last slave of the terminal is closed. */
	if (n <= 0) {
		r->done = true;
		return;
	}
	r->start = 0;
	r->end = (size_t)n;
	r->total += (uint64_t)n;
}

static void give(struct relay *r)
{
	ssize_t n = write(r->to, r->data + r->start, r->end - r->start);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		/* Nobody takes it any more: read on and throw away, so that the command does not block. */
		r->start = r->end;
		return;
	}
	r->start += (size_t)n;
}

void relay_step(struct relay *r, const struct pollfd p[2])
{
	if (p[0].revents)
		take(r);
	if (p[1].revents)
		give(r);
}
