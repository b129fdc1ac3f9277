/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands between whoever runs a box and nook-proxy, on a SOCK_SEQPACKET socket that is the helper's descriptor 0.
 * When the other end closes, in whatever way, the helper ends.
 *
 *   box's owner                             nook-proxy
 *   RULES with a file of hosts ----------->
 *          <------------------------------- READY (it is shut in), or FAILED with the error
 *   LISTEN with the box's listener ------->
 *          <------------------------------- REFUSED, REACHED: hosts, each once, and how many there were
 *
 *   PUBLISH with namespaces, listeners ---> READY                      the same helper inside the box's network
 *   GUARD with a pidfd -------------------> READY                      kills that process when the owner is gone
 */
#pragma once

#include "base/error.h"
#include "box/allow.h"

enum proxy_order_kind { PROXY_RULES, PROXY_LISTEN, PROXY_PUBLISH, PROXY_GUARD };

enum { PUBLISH_MAX = 32 };

struct proxy_order {
	uint32_t size; /* sizeof(struct proxy_order) */
	uint32_t kind;
	uint32_t timeout_ms;          /* RULES: for a request to come and for a connection to stand; 0: 30 s */
	uint32_t learn;               /* RULES: every host is let through and reported */
	uint32_t has_userns;          /* PUBLISH: the first descriptor is a user namespace, before that of the network */
	uint32_t n_ports;
	uint16_t ports[PUBLISH_MAX];  /* PUBLISH: where in the box the connections of each listener go */
};

enum proxy_report_kind { PROXY_READY, PROXY_FAILED, PROXY_REFUSED, PROXY_REACHED };

struct proxy_report {
	uint32_t kind;
	uint32_t total; /* REFUSED: how many requests were refused so far */
	int32_t code;   /* FAILED: -errno */
	uint16_t port;
	char host[HOST_NAME_MAX_LEN + 3];
	char address[ADDRESS_TEXT_MAX]; /* of a host that is named by a rule, or reached while learning, and not public; else "" */
	struct nook_error error;        /* FAILED */
};
