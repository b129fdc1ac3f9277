/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network of a box: what its rules want, and the helper processes beside it that give it that and end with it.
 *
 *   proxy      the box has its loopback alone; a listener on it, made inside, is served by nook-proxy outside
 *   user       pasta(1) or slirp4netns(1) make a network without rights
 *   publish    nook-proxy inside the box's network serves listeners that were made outside
 *
 * When a helper ends before the box, the box has that network no more; it never has another.
 */
#pragma once

#include "base/alloc.h"
#include "box/allow.h"
#include "box/bus.h"
#include "box/helper.h"
#include "box/proxy_wire.h"
#include "launch/launch.h"
#include "spec/spec.h"

enum box_net {
	BOX_NET_NONE,
	BOX_NET_HOST,
	BOX_NET_USER,
	BOX_NET_PROXY,
	BOX_NET_NS, /* an existing one */
};

enum { BOX_PROXY_PORT = 3128 };

/* One port of the host, and the port of the box behind it. */
struct box_port {
	struct address address; /* family 0: every address */
	uint16_t outside, inside;
};

/* What helpers are for; flat, for it crosses to nook-shim. */
struct box_network {
	uint32_t net;    /* enum box_net */
	uint32_t learn;  /* the proxy lets every host through and tells of it */
	uint32_t n_ports;
	struct box_port ports[PUBLISH_MAX];
	struct box_bus bus;
};

struct nook_box;

/* ---- rules (net_rules.c) -------------------------------------------------------------------------------------------- */

int box_set_net(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_allow(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_publish(struct nook_box *b, const char *value, struct nook_error *e);
/* Judges the rules together. */
int box_network_check(const struct nook_box *b, struct nook_error *e);
/* Namespace, listener and files of the box that its network wants. */
int box_network_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct nook_error *e);
/* Variables that tell programs of the proxy are pushed to a list in ARENA. */
void box_network_env(const struct nook_box *b, struct arena *a, const char ***list, size_t *n);
/* What the helpers get; *RET_HOSTS is a text in ARENA, one host a line. */
void box_network_of(const struct nook_box *b, struct arena *a, struct box_network *ret, const char **ret_hosts);

/* ---- helpers (network.c) -------------------------------------------------------------------------------------------- */

/* Also a host that was reached while learning. */
struct box_refusal {
	char host[HOST_NAME_MAX_LEN + 3], address[ADDRESS_TEXT_MAX];
	uint16_t port;
};

struct box_links {
	const struct box_network *network;
	int listeners[PUBLISH_MAX];
	struct box_helper proxy, publisher, user, guard, bus;
	int bus_pipe; /* closed: the bus's proxy ends */
	int learn_listener; /* of the host, for the port that box->learn_port names; taken */
	uint32_t refused;
	struct box_refusal *list; /* each host once */
	size_t n_list;
	bool asked_proxy;
	void (*reached)(void *data, const struct box_refusal *r); /* while learning */
	void (*told)(void *data, const struct box_refusal *r); /* once for each host; set by the caller, may be NULL */
	void *data;
};

/* Before launch(): takes the ports of the host, so that one that is taken is told before anything runs, and starts the proxy.
 * HOSTS: of box_network_of().  Helpers run until box_links_done(). */
int box_links_begin(struct box_links *l, const struct box_network *n, const char *hosts, struct nook_error *e);
/* launch_hooks.adopted with the struct box_links as data: the namespaces are there, nothing runs in them. */
int box_links_adopted(void *links, pid_t pid, int pidfd, int proc, struct nook_error *e);
/* After launch(): the proxy gets the box's listener. */
int box_links_ready(struct box_links *l, struct launched *launched, struct nook_error *e);
/* The descriptor to be waited for, or -EBADF; and what to do when it is readable. */
int box_links_fd(const struct box_links *l);
void box_links_event(struct box_links *l);
/* Ends the helpers and waits for their end; what the proxy has told before is heard. */
void box_links_end(struct box_links *l);
/* And lets go of what was heard. */
void box_links_done(struct box_links *l);
