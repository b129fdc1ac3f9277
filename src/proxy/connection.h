/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection on its way:
 *
 *   HEAD    the client says whom it wants          (a publisher starts with DIAL)
 *   NAME    the resolver looks for addresses
 *   DIAL    one address after the other is tried
 *   STREAM  bytes go both ways
 *   ANSWER  a refusal goes out, what still comes in is thrown away
 *
 * All but STREAM end when their time is up.
 */
#pragma once

#include "proxy/engine.h"
#include "proxy/request.h"
#include "proxy/resolver.h"
#include "proxy/stream.h"

enum connection_state { CONNECTION_HEAD, CONNECTION_NAME, CONNECTION_DIAL, CONNECTION_STREAM, CONNECTION_ANSWER };

struct connection {
	enum connection_state state;
	uint64_t id;                  /* generation << 32 | slot: no two have the same */
	int64_t deadline_ms;
	struct connection *before, *after; /* in the order of their deadlines; none while STREAM */
	bool timed;
	struct stream stream;
	uint32_t armed[STREAM_ENDS];  /* what epoll waits for, 0: the descriptor is not in it */
	char *head;                   /* HEAD: REQUEST_MAX bytes */
	size_t head_len;
	struct request request;
	struct address addresses[RESOLVER_ADDRESSES];
	uint32_t n_addresses, next_address;
	int last_error;
	bool asked;                   /* NAME: the resolver has the question */
	size_t drained;
};

enum { CONNECTIONS_MAX = 1024, REPORTED_MAX = 512 };

struct engine {
	struct engine_options options;
	int epoll;
	struct connection *slots[CONNECTIONS_MAX];
	uint32_t n_connections, connections_max;
	uint32_t generation;
	struct connection *first, *last; /* by deadline */
	int listeners[ENGINE_LISTENERS];
	size_t n_listeners;
	bool accepting;
	bool unasked; /* questions wait until the resolver takes more */
	uint32_t refused;
	uint64_t reported[REPORTED_MAX]; /* hashes of what was reported: each once */
	size_t n_reported;
};

/* Takes CLIENT; PORT: where in the box it goes, for a publisher. */
void connection_new(struct engine *g, int client, uint16_t port);
/* Something has happened at one END of its stream. */
void connection_event(struct engine *g, struct connection *c, int end);
void connection_answer_came(struct engine *g, const struct resolver_answer *a);
/* The resolver takes questions again. */
void connection_ask_more(struct engine *g);
/* The resolver is gone. */
void connection_no_answers(struct engine *g);
void connection_timeout(struct engine *g, struct connection *c);
void connection_free(struct engine *g, struct connection *c);
struct connection *connection_find(const struct engine *g, uint64_t id);
