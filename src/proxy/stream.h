/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes between two connected sockets, both ways, until each side has said its last. */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

enum { STREAM_CLIENT, STREAM_SERVER, STREAM_ENDS };

/* From one end to the other: what was read and is not written yet. */
struct flow {
	char *data; /* NULL while empty */
	size_t start, end;
	bool finished; /* nothing more comes from the one end */
	bool told;     /* and the other end knows */
};

struct stream {
	int fds[STREAM_ENDS]; /* not blocking; -EBADF while there is none */
	struct flow from[STREAM_ENDS];
};

#define STREAM_INIT {{-EBADF, -EBADF}, {{0}}}

/* More than any head and answer; a side that takes nothing makes the other wait. */
enum { FLOW_MAX = 40 << 10 };

/* Bytes that stand for what END would have sent; there must be room. */
void stream_put(struct stream *s, int end, const void *bytes, size_t n);
/* Which of EPOLLIN and EPOLLOUT are wanted at END. */
uint32_t stream_wants(const struct stream *s, int end);
/* Moves what can be moved now.  0; 1 when both sides are done; -errno when the connection broke. */
int stream_step(struct stream *s);
/* Only writes: what is left for END. */
int stream_flush(struct stream *s, int end);
void stream_done(struct stream *s);
