/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client asks a proxy for, in the four ways in which clients ask: HTTP CONNECT, a plain HTTP request in absolute
 * form, SOCKS 5 and SOCKS 4 (4a).  Nothing here waits or connects: bytes in, a host out, and the answer as bytes.
 */
#pragma once

#include "base/buf.h"
#include "box/allow.h"

#include <stddef.h>

enum { REQUEST_MAX = 16 << 10 }; /* of a head: a client that sends more gets an answer, and no more is read */

enum protocol {
	PROTOCOL_UNKNOWN,
	PROTOCOL_CONNECT,
	PROTOCOL_HTTP,
	PROTOCOL_SOCKS4,
	PROTOCOL_SOCKS5,
};

enum request_state {
	REQUEST_MORE,    /* the rest has not come yet */
	REQUEST_GREETED, /* SOCKS 5: send answer, then parse what follows */
	REQUEST_READY,   /* host is what is asked for */
	REQUEST_BAD,     /* send answer and close; why says for people what is wrong */
};

struct request {
	enum protocol protocol; /* zero at first; kept between calls */
	bool greeted;
	struct host host;
	size_t used;            /* bytes that were the request; what follows is for the server */
	const char *why;
	struct buf answer;      /* GREETED and BAD: for the client */
	struct buf head;        /* READY and PROTOCOL_HTTP: the request as the server gets it */
};

enum outcome {
	OUTCOME_CONNECTED,
	OUTCOME_REFUSED,     /* by the rules */
	OUTCOME_NOT_FOUND,   /* the name has no address */
	OUTCOME_UNREACHABLE,
	OUTCOME_TIMEOUT,
	OUTCOME_BUSY,
};

/* DATA, N bytes, is what has come so far (behind the greeting, when there was one). */
enum request_state request_parse(struct request *r, const char *data, size_t n);
/* The answer to a READY request; TEXT, one line, is for people.  Nothing for a plain HTTP request that is connected: the
 * server answers. */
void request_answer(const struct request *r, enum outcome outcome, const char *text, struct buf *to);
void request_done(struct request *r);
