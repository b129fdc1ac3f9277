/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proxy/engine.h"

#include "base/clock.h"
#include "base/fd.h"
#include "proxy/connection.h"
#include "sys/record.h"

#include <sys/epoll.h>
#include <sys/resource.h>

enum { EVENTS = 64, ACCEPT_TURNS = 64, DESCRIPTORS_EACH = 2, DESCRIPTORS_OTHER = 64 };

/* Events of other descriptors than connections, whose ids are below 1 << 63. */
#define EVENT_OTHER (UINT64_C(1) << 63)
#define EVENT_CONTROL EVENT_OTHER
#define EVENT_RESOLVER (EVENT_OTHER + 1)
#define EVENT_LISTENER (EVENT_OTHER + 2) /* and those that follow */

static int watch(struct engine *g, int fd, uint64_t id, uint32_t events, struct nook_error *e)
{
	struct epoll_event event = {.events = events, .data.u64 = id};

	return epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? err_sys(e, STEP_NET, "epoll") : 0;
}

/* ---- listeners ------------------------------------------------------------------------------------------------------ */

/* While there is no room, clients wait in the backlog. */
static void accept_when_there_is_room(struct engine *g)
{
	bool room = g->n_connections < g->connections_max;

	if (room == g->accepting)
		return;
	for (size_t i = 0; i < g->n_listeners; i++) {
		struct epoll_event event = {.events = room ? EPOLLIN : 0, .data.u64 = EVENT_LISTENER + i};

		(void)epoll_ctl(g->epoll, EPOLL_CTL_MOD, g->listeners[i], &event);
	}
	g->accepting = room;
}

static int add_listener(struct engine *g, int fd, struct nook_error *e)
{
	if (g->n_listeners == ENGINE_LISTENERS) {
		(void)close(fd);
		return err_num(e, STEP_NET, "listener", E2BIG);
	}
	g->listeners[g->n_listeners] = fd;
	(void)fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	TRY(watch(g, fd, EVENT_LISTENER + g->n_listeners, EPOLLIN, e));
	g->n_listeners++;
	return 0;
}

static void accept_some(struct engine *g, size_t i)
{
	for (int turn = 0; turn < ACCEPT_TURNS && g->n_connections < g->connections_max; turn++) {
		int fd = accept4(g->listeners[i], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			break;
		connection_new(g, fd, g->options.ports ? g->options.ports[i] : 0);
	}
}

/* ---- orders and answers --------------------------------------------------------------------------------------------- */

/* 1: the other end is gone. */
static int take_order(struct engine *g, struct nook_error *e)
{
	struct proxy_order order;
	int fd = -EBADF;
	size_t n_fds = 1;
	ssize_t n = record_receive(g->options.control, &order, sizeof(order), &fd, &n_fds, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return 1;
	if (n == sizeof(order) && order.kind == PROXY_LISTEN && n_fds == 1 && !g->options.ports)
		return add_listener(g, fd, e);
	if (n_fds)
		(void)close(fd);
	return err_num(e, STEP_NET, "order", EPROTO);
}

static void take_answers(struct engine *g)
{
	for (int turn = 0; turn < ACCEPT_TURNS; turn++) {
		struct resolver_answer a;
		ssize_t n = recv(g->options.resolver, &a, sizeof(a), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == sizeof(a)) {
			connection_answer_came(g, &a);
			continue;
		}
		if (n >= 0 || errno != EAGAIN) {
			close_fd(&g->options.resolver);
			connection_no_answers(g);
		}
		return;
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------------------- */

static int next_timeout(const struct engine *g)
{
	int64_t left = g->first ? g->first->deadline_ms - clock_ms() : -1;

	if (!g->first)
		return -1;
	return left < 0 ? 0 : (int)left + 1;
}

static void expire(struct engine *g)
{
	int64_t now = clock_ms();

	while (g->first && g->first->deadline_ms <= now)
		connection_timeout(g, g->first);
}

static int dispatch(struct engine *g, const struct epoll_event *event, struct nook_error *e)
{
	uint64_t id = event->data.u64;

	if (id == EVENT_CONTROL)
		return take_order(g, e);
	if (id == EVENT_RESOLVER) {
		take_answers(g);
		if (g->unasked && g->options.resolver >= 0)
			connection_ask_more(g);
	} else if (id >= EVENT_LISTENER) {
		accept_some(g, (size_t)(id - EVENT_LISTENER));
	} else {
		struct connection *c = connection_find(g, id >> 1);

		if (c)
			connection_event(g, c, (int)(id & 1));
	}
	return 0;
}

static int loop(struct engine *g, struct nook_error *e)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(g->epoll, events, EVENTS, next_timeout(g));

		if (n < 0 && errno != EINTR)
			return err_sys(e, STEP_NET, "epoll");
		for (int i = 0; i < n; i++) {
			int r = dispatch(g, &events[i], e);

			if (r)
				return r < 0 ? r : 0;
		}
		expire(g);
		accept_when_there_is_room(g);
	}
}

static uint32_t connections_for(void)
{
	struct rlimit l = {CONNECTIONS_MAX, CONNECTIONS_MAX};
	rlim_t room;

	(void)getrlimit(RLIMIT_NOFILE, &l);
	room = l.rlim_cur > DESCRIPTORS_OTHER ? (l.rlim_cur - DESCRIPTORS_OTHER) / DESCRIPTORS_EACH : 1;
	return room < CONNECTIONS_MAX ? (uint32_t)room : CONNECTIONS_MAX;
}

int engine_run(const struct engine_options *o, struct nook_error *e)
{
	struct engine *g = xcalloc(1, sizeof(*g));
	int r = 0;

	g->options = *o;
	g->accepting = true;
	g->connections_max = connections_for();
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (g->epoll < 0)
		r = err_sys(e, STEP_NET, "epoll");
	if (r == 0)
		r = watch(g, o->control, EVENT_CONTROL, EPOLLIN, e);
	if (r == 0 && o->resolver >= 0)
		r = watch(g, o->resolver, EVENT_RESOLVER, EPOLLIN, e);
	for (size_t i = 0; r == 0 && i < o->n_listeners; i++)
		r = add_listener(g, o->listeners[i], e);
	if (r == 0)
		r = loop(g, e);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (g->slots[i])
			connection_free(g, g->slots[i]);
	for (size_t i = 0; i < g->n_listeners; i++)
		(void)close(g->listeners[i]);
	close_fd(&g->options.resolver);
	close_fd(&g->epoll);
	free(g);
	return r;
}
