/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proxy/stream.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* How often one step reads a side before others have their turn. */
enum { TURNS = 8 };

static size_t left(const struct flow *f)
{
	return f->end - f->start;
}

void stream_put(struct stream *s, int end, const void *bytes, size_t n)
{
	struct flow *f = &s->from[end];

	if (!n)
		return;
	assert(n <= FLOW_MAX - f->end);
	if (!f->data)
		f->data = xcalloc(1, FLOW_MAX);
	memcpy(f->data + f->end, bytes, n);
	f->end += n;
}

uint32_t stream_wants(const struct stream *s, int end)
{
	const struct flow *out = &s->from[!end], *in = &s->from[end];

	return (left(out) ? (uint32_t)EPOLLOUT : 0) | (left(in) || in->finished ? 0 : (uint32_t)EPOLLIN);
}

static void flow_free(struct flow *f)
{
	free(f->data);
	f->data = NULL;
	f->start = f->end = 0;
}

int stream_flush(struct stream *s, int end)
{
	struct flow *f = &s->from[!end];

	while (left(f)) {
		ssize_t n = send(s->fds[end], f->data + f->start, left(f), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		f->start += (size_t)n;
	}
	flow_free(f);
	if (f->finished && !f->told) {
		f->told = true;
		/* ENOTCONN: it is gone, which reading from it will tell. */
		if (shutdown(s->fds[end], SHUT_WR) < 0 && errno != ENOTCONN)
			return -errno;
	}
	return 0;
}

/* Reads END and writes the other side. */
static int pass(struct stream *s, int end)
{
	struct flow *f = &s->from[end];
	char bytes[FLOW_MAX];
	int r = stream_flush(s, !end);

	for (int turn = 0; r == 0 && turn < TURNS && !left(f) && !f->finished; turn++) {
		ssize_t n = recv(s->fds[end], bytes, sizeof(bytes), 0), sent;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0) {
			f->finished = true;
			return stream_flush(s, !end);
		}
		/* Most of the time all of it goes at once, and nothing has to be kept. */
		sent = send(s->fds[!end], bytes, (size_t)n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		stream_put(s, end, bytes + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
		r = stream_flush(s, !end);
	}
	return r;
}

int stream_step(struct stream *s)
{
	for (int end = 0; end < STREAM_ENDS; end++) {
		int r = pass(s, end);

		if (r < 0)
			return r;
	}
	return s->from[STREAM_CLIENT].told && s->from[STREAM_SERVER].told;
}

void stream_done(struct stream *s)
{
	for (int end = 0; end < STREAM_ENDS; end++) {
		flow_free(&s->from[end]);
		close_fd(&s->fds[end]);
	}
}
