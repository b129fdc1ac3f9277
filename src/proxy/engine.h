/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop of nook-proxy: one thread, one epoll.
 *
 * As a proxy it accepts connections of the box, reads what host is wanted, judges the name, has it resolved, judges each
 * address and connects to one of those that it has judged.  As a publisher it accepts connections of the host and connects
 * to a port of the box.  It lives behind a wall (main.c): no file system, no programs, no other kinds of sockets.
 */
#pragma once

#include "box/proxy_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENGINE_LISTENERS = PUBLISH_MAX, ENGINE_TIMEOUT_MS = 30000 };

struct engine_options {
	int control;             /* orders and reports; its end ends the loop */
	int resolver;            /* resolver.h, closed at the end; -EBADF for a publisher */
	const struct host *rules;
	size_t n_rules;
	bool learn;
	unsigned timeout_ms;
	const int *listeners;    /* of a publisher; a proxy gets its own by PROXY_LISTEN */
	const uint16_t *ports;
	size_t n_listeners;
};

/* Returns 0 when the control socket has ended, or -errno. */
int engine_run(const struct engine_options *o, struct nook_error *e);
