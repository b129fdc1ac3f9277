/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proxy/connection.h"

#include "base/clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { DRAIN_MAX = 256 << 10 };

/* ---- time ---------------------------------------------------------------------------------------------------------- */

static void timer_stop(struct engine *g, struct connection *c)
{
	if (!c->timed)
		return;
	*(c->before ? &c->before->after : &g->first) = c->after;
	*(c->after ? &c->after->before : &g->last) = c->before;
	c->before = c->after = NULL;
	c->timed = false;
}

/* All have the same time, so the last started ends last. */
static void timer_start(struct engine *g, struct connection *c)
{
	timer_stop(g, c);
	c->deadline_ms = clock_ms() + g->options.timeout_ms;
	c->before = g->last;
	*(g->last ? &g->last->after : &g->first) = c;
	g->last = c;
	c->timed = true;
}

/* ---- epoll --------------------------------------------------------------------------------------------------------- */

static void arm(struct engine *g, struct connection *c, int end, uint32_t wants)
{
	struct epoll_event event = {.events = wants, .data.u64 = c->id << 1 | (unsigned)end};
	int fd = c->stream.fds[end];

	if (fd < 0 || c->armed[end] == wants)
		return;
	/* Without events the kernel would still tell of errors, again and again. */
	(void)epoll_ctl(g->epoll, !wants ? EPOLL_CTL_DEL : c->armed[end] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	c->armed[end] = wants;
}

struct connection *connection_find(const struct engine *g, uint64_t id)
{
	struct connection *c = g->slots[(uint32_t)id % CONNECTIONS_MAX];

	return c && c->id == id ? c : NULL;
}

void connection_free(struct engine *g, struct connection *c)
{
	timer_stop(g, c);
	g->slots[(uint32_t)c->id % CONNECTIONS_MAX] = NULL;
	g->n_connections--;
	/* Closed descriptors leave the epoll by themselves: nobody else has them. */
	stream_done(&c->stream);
	request_done(&c->request);
	free(c->head);
	free(c);
}

/* ---- reports ------------------------------------------------------------------------------------------------------- */

/* FNV-1a: a host that is taken for another is merely not told about. */
static bool is_news(struct engine *g, const struct proxy_report *r)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *c = r->host; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	hash = ((hash ^ r->port) * 0x100000001b3 ^ r->kind) * 0x100000001b3;
	for (size_t i = 0; i < g->n_reported; i++)
		if (g->reported[i] == hash)
			return false;
	if (g->n_reported == REPORTED_MAX)
		return false;
	g->reported[g->n_reported++] = hash;
	return true;
}

/* The owner may be slow; a host that does not get through is only counted. */
static void report(struct engine *g, const struct connection *c, enum proxy_report_kind kind, const struct address *address)
{
	struct proxy_report r = {.kind = kind, .port = c->request.host.port};

	g->refused += kind == PROXY_REFUSED;
	r.total = g->refused;
	(void)snprintf(r.host, sizeof(r.host), "%s", c->request.host.name);
	if (address)
		address_text(address, r.address);
	if (!is_news(g, &r))
		r.host[0] = 0;
	if (r.host[0] || kind == PROXY_REFUSED)
		(void)send(g->options.control, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the end of those that fail ------------------------------------------------------------------------------------- */

static void answer_step(struct engine *g, struct connection *c)
{
	char thrown[4096];
	ssize_t n;

	if (stream_flush(&c->stream, STREAM_CLIENT) < 0) {
		connection_free(g, c);
		return;
	}
	/* What the client has still sent is read: closing with it unread would take the answer away from it. */
	for (;;) {
		n = recv(c->stream.fds[STREAM_CLIENT], thrown, sizeof(thrown), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		c->drained += (size_t)n;
		if (c->drained > DRAIN_MAX)
			break;
	}
	if (n >= 0 || errno != EAGAIN) {
		connection_free(g, c);
		return;
	}
	arm(g, c, STREAM_CLIENT, EPOLLIN | (stream_wants(&c->stream, STREAM_CLIENT) & EPOLLOUT));
}

static void send_and_close(struct engine *g, struct connection *c, const struct buf *text)
{
	if (!text->len) {
		connection_free(g, c);
		return;
	}
	c->state = CONNECTION_ANSWER;
	stream_put(&c->stream, STREAM_SERVER, buf_text(text), text->len);
	c->stream.from[STREAM_SERVER].finished = true;
	timer_start(g, c);
	answer_step(g, c);
}

static void fail(struct engine *g, struct connection *c, enum outcome outcome, const char *text)
{
	AUTO_VALUE(buf_done) struct buf answer = {0};

	if (c->stream.fds[STREAM_SERVER] >= 0) {
		close_fd(&c->stream.fds[STREAM_SERVER]);
		c->armed[STREAM_SERVER] = 0;
	}
	request_answer(&c->request, outcome, text, &answer);
	send_and_close(g, c, &answer);
}

static void fail_host(struct engine *g, struct connection *c, enum outcome outcome, const char *what)
{
	char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "%s:%u %s", c->request.host.name, c->request.host.port, what);
	fail(g, c, outcome, text);
}

static void refuse(struct engine *g, struct connection *c, const struct address *address)
{
	const struct host *asked = &c->request.host;
	struct host wanted = *asked; /* by a rule that would let it through */
	char text[NOOK_OBJECT_MAX * 4], rule[HOST_TEXT_MAX];

	report(g, c, PROXY_REFUSED, address);
	if (address) {
		wanted = (struct host){.kind = HOST_ADDRESS, .address = *address};
		address_text(address, wanted.name);
	}
	(void)host_text(&wanted, rule);
	if (address)
		(void)snprintf(text, sizeof(text), "%s has the address %s, which is not public; allow it with --allow %s:%u", asked->name,
			wanted.name, rule, asked->port);
	else
		(void)snprintf(text, sizeof(text), "%s:%u is not allowed; allow it with --allow %s:%u", asked->name, asked->port, rule,
			asked->port);
	fail(g, c, OUTCOME_REFUSED, text);
}

/* ---- streaming ------------------------------------------------------------------------------------------------------ */

static void stream_on(struct engine *g, struct connection *c)
{
	if (stream_step(&c->stream) != 0) {
		connection_free(g, c);
		return;
	}
	for (int end = 0; end < STREAM_ENDS; end++)
		arm(g, c, end, stream_wants(&c->stream, end));
}

static void report_reached(struct engine *g, const struct connection *c)
{
	const struct address *a = &c->addresses[c->next_address - 1];

	report(g, c, PROXY_REACHED, c->request.host.kind == HOST_NAME && !address_is_public(a) ? a : NULL);
}

/* What came behind the request is for the server, behind the request that this proxy writes. */
static void connected(struct engine *g, struct connection *c)
{
	AUTO_VALUE(buf_done) struct buf answer = {0};
	const struct request *r = &c->request;

	if (g->options.learn)
		report_reached(g, c);
	if (r->protocol != PROTOCOL_UNKNOWN) {
		request_answer(r, OUTCOME_CONNECTED, "", &answer);
		stream_put(&c->stream, STREAM_SERVER, buf_text(&answer), answer.len);
		stream_put(&c->stream, STREAM_CLIENT, buf_text(&r->head), r->head.len);
		stream_put(&c->stream, STREAM_CLIENT, c->head + r->used, c->head_len - r->used);
		free(c->head);
		c->head = NULL;
	}
	timer_stop(g, c);
	c->state = CONNECTION_STREAM;
	stream_on(g, c);
}

/* ---- dialling ------------------------------------------------------------------------------------------------------- */

static int dial_one(struct connection *c, const struct address *a)
{
	struct sockaddr_storage to;
	socklen_t len = address_sockaddr(a, c->request.host.port, &to);
	int on = 1, fd;

	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	c->stream.fds[STREAM_SERVER] = fd;
	return 0;
}

/* The next address that may be connected to, or the end. */
static void dial(struct engine *g, struct connection *c)
{
	c->state = CONNECTION_DIAL;
	timer_start(g, c);
	while (c->next_address < c->n_addresses) {
		c->last_error = dial_one(c, &c->addresses[c->next_address++]);
		if (!c->last_error) {
			arm(g, c, STREAM_SERVER, EPOLLOUT);
			return;
		}
	}
	fail_host(g, c, OUTCOME_UNREACHABLE, strerror(-c->last_error));
}

static void dial_event(struct engine *g, struct connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->stream.fds[STREAM_SERVER], SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (!error) {
		connected(g, c);
		return;
	}
	close_fd(&c->stream.fds[STREAM_SERVER]);
	c->armed[STREAM_SERVER] = 0;
	c->last_error = -error;
	if (c->next_address < c->n_addresses)
		dial(g, c);
	else
		fail_host(g, c, OUTCOME_UNREACHABLE, strerror(error));
}

/* Only what is judged here is connected to: nobody looks the name up again. */
static void judge(struct engine *g, struct connection *c, const struct address *list, uint32_t n)
{
	const struct address *refused = NULL;

	c->n_addresses = c->next_address = 0;
	for (uint32_t i = 0; i < n && i < RESOLVER_ADDRESSES; i++) {
		if (g->options.learn || allow_address(g->options.rules, g->options.n_rules, &list[i], c->request.host.port))
			c->addresses[c->n_addresses++] = list[i];
		else
			refused = &list[i];
	}
	if (c->n_addresses)
		dial(g, c);
	else if (refused)
		refuse(g, c, refused);
	else
		fail_host(g, c, OUTCOME_NOT_FOUND, "has no address");
}

void connection_answer_came(struct engine *g, const struct resolver_answer *a)
{
	struct connection *c = connection_find(g, a->id);

	if (c && c->state == CONNECTION_NAME)
		judge(g, c, a->addresses, a->n);
}

static void ask(struct engine *g, struct connection *c)
{
	struct resolver_question q = {.id = c->id};

	(void)snprintf(q.name, sizeof(q.name), "%s", c->request.host.name);
	c->asked = send(g->options.resolver, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(q);
	if (!c->asked && errno != EAGAIN)
		fail(g, c, OUTCOME_BUSY, "nobody looks names up any more");
	else
		g->unasked = g->unasked || !c->asked;
}

void connection_ask_more(struct engine *g)
{
	g->unasked = false;
	for (size_t i = 0; i < CONNECTIONS_MAX && !g->unasked; i++)
		if (g->slots[i] && g->slots[i]->state == CONNECTION_NAME && !g->slots[i]->asked)
			ask(g, g->slots[i]);
}

static void resolve(struct engine *g, struct connection *c)
{
	c->state = CONNECTION_NAME;
	timer_start(g, c);
	ask(g, c);
}

void connection_no_answers(struct engine *g)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (g->slots[i] && g->slots[i]->state == CONNECTION_NAME)
			fail(g, g->slots[i], OUTCOME_BUSY, "nobody looks names up any more");
}

/* ---- the request ---------------------------------------------------------------------------------------------------- */

static void wanted(struct engine *g, struct connection *c)
{
	const struct host *h = &c->request.host;

	/* The client has to wait now; what it says meanwhile stays in its socket. */
	arm(g, c, STREAM_CLIENT, 0);
	if (!g->options.learn && !allow_host(g->options.rules, g->options.n_rules, h))
		refuse(g, c, NULL);
	else if (h->kind == HOST_ADDRESS)
		judge(g, c, &h->address, 1);
	else
		resolve(g, c);
}

/* Greetings are answered at once: they are small, and the client waits for them before it says more. */
static void parse_head(struct engine *g, struct connection *c)
{
	for (;;) {
		enum request_state state = request_parse(&c->request, c->head, c->head_len);

		if (state == REQUEST_MORE) {
			if (c->head_len == REQUEST_MAX)
				connection_free(g, c);
			return;
		}
		if (state == REQUEST_READY) {
			wanted(g, c);
			return;
		}
		if (state == REQUEST_BAD) {
			send_and_close(g, c, &c->request.answer);
			return;
		}
		if (send(c->stream.fds[STREAM_CLIENT], buf_text(&c->request.answer), c->request.answer.len, MSG_NOSIGNAL) !=
			(ssize_t)c->request.answer.len) {
			connection_free(g, c);
			return;
		}
		c->request.answer.len = 0;
		c->head_len -= c->request.used;
		memmove(c->head, c->head + c->request.used, c->head_len);
		c->request.used = 0;
	}
}

static void head_event(struct engine *g, struct connection *c)
{
	ssize_t n;

	if (!c->head)
		c->head = xcalloc(1, REQUEST_MAX);
	do
		n = recv(c->stream.fds[STREAM_CLIENT], c->head + c->head_len, REQUEST_MAX - c->head_len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		connection_free(g, c);
		return;
	}
	c->head_len += (size_t)n;
	parse_head(g, c);
}

/* ---- from the loop -------------------------------------------------------------------------------------------------- */

void connection_event(struct engine *g, struct connection *c, int end)
{
	switch (c->state) {
	case CONNECTION_HEAD:
		head_event(g, c);
		break;
	case CONNECTION_NAME:
		break;
	case CONNECTION_DIAL:
		if (end == STREAM_SERVER)
			dial_event(g, c);
		break;
	case CONNECTION_STREAM:
		stream_on(g, c);
		break;
	case CONNECTION_ANSWER:
		answer_step(g, c);
		break;
	}
}

void connection_timeout(struct engine *g, struct connection *c)
{
	switch (c->state) {
	case CONNECTION_NAME:
		fail_host(g, c, OUTCOME_TIMEOUT, "was not found in time");
		break;
	case CONNECTION_DIAL:
		fail_host(g, c, OUTCOME_TIMEOUT, "did not answer in time");
		break;
	default:
		connection_free(g, c);
	}
}

void connection_new(struct engine *g, int client, uint16_t port)
{
	static const struct address loopback[] = {{4, {127, 0, 0, 1}}, {6, {[15] = 1}}};
	struct connection *c = xcalloc(1, sizeof(*c));
	uint32_t slot = 0;
	int on = 1;

	while (g->slots[slot])
		slot++;
	/* 30 bits of generation: with the end of the stream it has to fit below EVENT_OTHER. */
	g->generation = (g->generation + 1) & (INT32_MAX >> 1);
	c->id = (uint64_t)g->generation << 32 | slot;
	c->stream = (struct stream)STREAM_INIT;
	c->stream.fds[STREAM_CLIENT] = client;
	c->last_error = -ENETUNREACH;
	g->slots[slot] = c;
	g->n_connections++;
	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	timer_start(g, c);
	if (port) {
		c->request.host.port = port;
		memcpy(c->addresses, loopback, sizeof(loopback));
		c->n_addresses = sizeof(loopback) / sizeof(loopback[0]);
		dial(g, c);
	} else {
		arm(g, c, STREAM_CLIENT, EPOLLIN);
	}
}
