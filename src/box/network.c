/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/network.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "box/box.h"
#include "box/user_net.h"
#include "runtime/tar.h"
#include "sys/record.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { REFUSALS_MAX = 256, BACKLOG = 4096 };

/* ---- nook-proxy ----------------------------------------------------------------------------------------------------- */

static int proxy_start(const char *task, struct box_helper *h, struct nook_error *e)
{
	const char *const argv[] = {"nook-proxy", task, NULL};
	char path[PATH_MAX];
	struct spawn_start s = {.path = path, .argv = argv, .stderr_fd = -1};
	int pair[2];

	TRY(helper_find("nook-proxy", path, sizeof(path), e));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_SPAWN, "nook-proxy");
	auto_close int ours = pair[0], theirs = pair[1];

	s.stdin_fd = theirs;
	TRY(box_helper_start(&s, STEP_SPAWN, h, e));
	h->control = take_fd(&ours);
	return 0;
}

static int proxy_tell(const struct box_helper *h, struct proxy_order *order, const int *fds, size_t n_fds, struct nook_error *e)
{
	int r;

	order->size = sizeof(*order);
	r = record_send(h->control, order, sizeof(*order), fds, n_fds);
	return r < 0 ? err_num(e, STEP_SPAWN, "nook-proxy", r) : 0;
}

static int proxy_wait_ready(const struct box_helper *h, struct nook_error *e)
{
	struct proxy_report r;
	size_t n_fds = 0;
	ssize_t n = record_receive(h->control, &r, sizeof(r), NULL, &n_fds, 0);

	if (n != sizeof(r))
		return err_why(e, STEP_SPAWN, "nook-proxy", EPIPE, "it has ended before it was ready");
	if (r.kind == PROXY_READY)
		return 0;
	if (r.kind != PROXY_FAILED || r.code >= 0)
		return err_num(e, STEP_SPAWN, "nook-proxy", EPROTO);
	if (e)
		*e = r.error;
	return r.code;
}

/* ---- ports of the host ----------------------------------------------------------------------------------------------- */

static int port_listen_at(const struct address *a, uint16_t port, struct nook_error *e)
{
	struct sockaddr_storage at;
	socklen_t len = address_sockaddr(a, port, &at);
	auto_close int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char object[16];
	int on = 1, off = 0;

	(void)snprintf(object, sizeof(object), "%u", port);
	if (fd < 0)
		return err_sys(e, STEP_NET, object);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->family == 6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, STEP_NET, object);
	return take_fd(&fd);
}

static int port_listen(const struct box_port *p, struct nook_error *e)
{
	static const struct address any4 = {4, {0}}, any6 = {6, {0}};
	struct nook_error first = NOOK_ERROR_INIT;
	int r;

	if (p->address.family)
		return port_listen_at(&p->address, p->outside, e);
	r = port_listen_at(&any6, p->outside, &first);
	/* No IPv6 here. */
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		return port_listen_at(&any4, p->outside, e);
	if (r < 0 && e)
		*e = first;
	return r;
}

/* ---- start and end --------------------------------------------------------------------------------------------------- */

static int begin_proxy(struct box_links *l, const char *hosts, struct nook_error *e)
{
	struct proxy_order order = {.kind = PROXY_RULES, .learn = l->network->learn};
	auto_close int rules = memfd_create("nook-hosts", MFD_CLOEXEC);
	int r = rules < 0 ? -errno : fd_write(rules, hosts, strlen(hosts));

	if (r < 0)
		return err_num(e, STEP_SPAWN, "nook-proxy", r);
	TRY(proxy_start("proxy", &l->proxy, e));
	return proxy_tell(&l->proxy, &order, &rules, 1, e);
}

int box_links_begin(struct box_links *l, const struct box_network *n, const char *hosts, struct nook_error *e)
{
	l->network = n;
	l->asked_proxy = n->net == BOX_NET_PROXY;
	l->proxy = l->publisher = l->user = l->guard = l->bus = (struct box_helper)BOX_HELPER_NONE;
	l->bus_pipe = -EBADF;
	for (size_t i = 0; i < PUBLISH_MAX; i++)
		l->listeners[i] = -EBADF;
	for (uint32_t i = 0; i < n->n_ports; i++)
		l->listeners[i] = TRY(port_listen(&n->ports[i], e));
	/* It shuts itself in while the box is made. */
	if (n->net == BOX_NET_PROXY || n->learn)
		TRY(begin_proxy(l, hosts, e));
	if (n->n_ports)
		TRY(proxy_start("publish", &l->publisher, e));
	if (n->bus.n_names)
		TRY(box_bus_start(&n->bus, &l->bus, &l->bus_pipe, e));
	return 0;
}

static int publish(struct box_links *l, int userns, int netns, struct nook_error *e)
{
	struct proxy_order order = {.kind = PROXY_PUBLISH, .has_userns = userns >= 0, .n_ports = l->network->n_ports};
	int fds[PUBLISH_MAX + 2];
	size_t n = 0;

	if (userns >= 0)
		fds[n++] = userns;
	fds[n++] = netns;
	for (uint32_t i = 0; i < l->network->n_ports; i++) {
		fds[n++] = l->listeners[i];
		order.ports[i] = l->network->ports[i].inside;
	}
	TRY(proxy_tell(&l->publisher, &order, fds, n, e));
	for (uint32_t i = 0; i < l->network->n_ports; i++)
		close_fd(&l->listeners[i]);
	return proxy_wait_ready(&l->publisher, e);
}

/* Who kills us kills the network as well: pasta would stay. */
static int guard(struct box_links *l, struct nook_error *e)
{
	struct proxy_order order = {.kind = PROXY_GUARD};

	TRY(proxy_start("guard", &l->guard, e));
	TRY(proxy_tell(&l->guard, &order, &l->user.pidfd, 1, e));
	return proxy_wait_ready(&l->guard, e);
}

int box_links_adopted(void *links, pid_t pid, int pidfd, int proc, struct nook_error *e)
{
	struct box_links *l = links;

	(void)pidfd;
	if (l->network->net == BOX_NET_USER || l->network->n_ports) {
		auto_close int userns = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
		auto_close int netns = openat(proc, "ns/net", O_RDONLY | O_CLOEXEC);

		if (userns < 0 || netns < 0)
			return err_sys(e, STEP_NAMESPACE, "network of the box");
		if (l->network->net == BOX_NET_USER) {
			TRY(user_net_start(pid, &l->user, e));
			TRY(guard(l, e));
		}
		if (l->network->n_ports)
			TRY(publish(l, userns, netns, e));
	}
	return l->proxy.pid > 0 ? proxy_wait_ready(&l->proxy, e) : 0;
}

int box_links_ready(struct box_links *l, struct launched *launched, struct nook_error *e)
{
	struct proxy_order order = {.kind = PROXY_LISTEN};
	int *listener = l->learn_listener > 0 ? &l->learn_listener : &launched->listener;

	box_bus_hide(&l->network->bus);
	if (l->proxy.pid <= 0 || *listener < 0)
		return 0;
	TRY(proxy_tell(&l->proxy, &order, listener, 1, e));
	/* The proxy has the only one: with it goes the way out. */
	close_fd(listener);
	return 0;
}

int box_links_fd(const struct box_links *l)
{
	return l->proxy.control;
}

static void reached(const struct box_links *l, const struct proxy_report *r)
{
	struct box_refusal host = {.port = r->port};

	(void)snprintf(host.host, sizeof(host.host), "%s", r->host);
	(void)snprintf(host.address, sizeof(host.address), "%s", r->address);
	if (l->reached)
		l->reached(l->data, &host);
}

static void hear(struct box_links *l, const struct proxy_report *r)
{
	struct box_refusal *at;

	if (r->kind == PROXY_REFUSED && r->total > l->refused)
		l->refused = r->total;
	if (!r->host[0] || (r->kind != PROXY_REFUSED && r->kind != PROXY_REACHED))
		return;
	if (r->kind == PROXY_REACHED) {
		reached(l, r);
		return;
	}
	if (l->n_list == REFUSALS_MAX)
		return;
	l->list = xrealloc(l->list, l->n_list + 1, sizeof(*l->list));
	at = &l->list[l->n_list++];
	*at = (struct box_refusal){.port = r->port};
	(void)snprintf(at->host, sizeof(at->host), "%s", r->host);
	(void)snprintf(at->address, sizeof(at->address), "%s", r->address);
	if (l->told)
		l->told(l->data, at);
}

void box_links_event(struct box_links *l)
{
	struct proxy_report r;

	for (;;) {
		size_t n_fds = 0;
		ssize_t n = record_receive(l->proxy.control, &r, sizeof(r), NULL, &n_fds, MSG_DONTWAIT);

		if (n == -EAGAIN)
			return;
		if (n != sizeof(r)) {
			/* It has ended: the box has no way out any more. */
			close_fd(&l->proxy.control);
			return;
		}
		r.host[sizeof(r.host) - 1] = r.address[sizeof(r.address) - 1] = 0;
		hear(l, &r);
	}
}

void box_links_end(struct box_links *l)
{
	if (!l->network)
		return;
	if (l->proxy.control >= 0)
		box_links_event(l);
	for (size_t i = 0; i < PUBLISH_MAX; i++)
		close_fd(&l->listeners[i]);
	box_helper_end(&l->proxy);
	box_helper_end(&l->publisher);
	box_helper_end(&l->user);
	box_helper_end(&l->guard);
	close_fd(&l->bus_pipe);
	box_helper_end(&l->bus);
	box_bus_hide(&l->network->bus);
	l->network = NULL;
}

void box_links_done(struct box_links *l)
{
	box_links_end(l);
	free(l->list);
	l->list = NULL;
	l->n_list = 0;
}
