/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of the network. */
#include "box/box.h"

#include "base/buf.h"
#include "base/text.h"
#include "box/rule.h"
#include "box/user_net.h"

enum { ALLOW_MAX = 1024 };

int box_set_net(struct nook_box *b, const char *value, struct nook_error *e)
{
	static const struct {
		const char *word;
		enum box_net net;
	} words[] = {{"none", BOX_NET_NONE}, {"host", BOX_NET_HOST}, {"user", BOX_NET_USER}, {"proxy", BOX_NET_PROXY}};
	const char *path = text_after(value, "ns:");

	b->net_asked = true;
	if (path && path[0] == '/') {
		b->net = BOX_NET_NS;
		b->net_path = path;
		return 0;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_is(value, words[i].word)) {
			b->net = words[i].net;
			return 0;
		}
	}
	return rule_refuse(value, "the network is none, host, user, proxy or ns:/PATH", e);
}

int box_add_allow(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct host h;
	const char *why = NULL;

	if (host_parse_rule(value, &h, &why) < 0)
		return rule_refuse(value, why, e);
	if (b->n_allow == ALLOW_MAX)
		return err_why(e, STEP_OPTION, value, E2BIG, "a box allows at most 1024 hosts");
	if (b->net_asked && b->net != BOX_NET_PROXY && b->net != BOX_NET_NONE)
		return rule_refuse(value, "hosts are allowed one by one with net proxy alone", e);
	if (!b->net_asked)
		b->net = BOX_NET_PROXY;
	*arena_push(b->arena, &b->allow, &b->n_allow) = h;
	return 0;
}

static int port_parse(const char *text, uint16_t *ret)
{
	uint64_t port = 0;

	if (text_u64(text, &port) < 0 || !port || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* "[IP:]PORT:PORT"; an IPv6 address stands in brackets. */
int box_add_publish(struct nook_box *b, const char *value, struct nook_error *e)
{
	static const char form[] = "it is PORT:PORT or IP:PORT:PORT, the host's before the box's";
	char *copy = arena_strdup(b->arena, value), *inside = strrchr(copy, ':'), *outside, *ip = NULL;
	struct box_port p = {0};

	if (!inside)
		return rule_refuse(value, form, e);
	*inside++ = 0;
	outside = strrchr(copy, ':');
	if (outside) {
		*outside++ = 0;
		ip = copy;
		if (ip[0] == '[' && outside - 2 > ip && outside[-2] == ']') {
			outside[-2] = 0;
			ip++;
		}
	}
	if (ip && !address_parse(ip, &p.address))
		return rule_refuse(value, form, e);
	if (port_parse(outside ? outside : copy, &p.outside) < 0 || port_parse(inside, &p.inside) < 0)
		return rule_refuse(value, "a port is a number from 1 to 65535", e);
	if (b->n_ports == PUBLISH_MAX)
		return err_why(e, STEP_OPTION, value, E2BIG, "a box publishes at most 32 ports");
	*arena_push(b->arena, &b->ports, &b->n_ports) = p;
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static enum box_net net_of(const struct nook_box *b)
{
	return b->shared & (1U << NS_NET) ? BOX_NET_HOST : b->net;
}

int box_network_check(const struct nook_box *b, struct nook_error *e)
{
	enum box_net net = net_of(b);

	if (b->n_ports && (net == BOX_NET_HOST || net == BOX_NET_NS))
		return err_why(e, STEP_OPTION, "publish", EINVAL, "ports are published from a network of the box's own: net none, user or proxy");
	return 0;
}

int box_network_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct nook_error *e)
{
	enum box_net net = net_of(b);

	if (net == BOX_NET_HOST)
		s->ns[NS_NET].mode = NS_HOST;
	if (net == BOX_NET_NS)
		s->ns[NS_NET] = (struct spec_ns){NS_PATH, b->net_path};
	if (net == BOX_NET_PROXY)
		s->net_listen = BOX_PROXY_PORT;
	if (net == BOX_NET_USER)
		return user_net_spec(b, a, s, e);
	return 0;
}

static bool allows_loopback(const struct nook_box *b)
{
	static const struct address six = {6, {[15] = 1}};

	for (size_t i = 0; i < b->n_allow; i++) {
		const struct host *h = &b->allow[i];

		if (h->kind == HOST_ADDRESS && ((h->address.family == 4 && h->address.bytes[0] == 127) || address_is(&h->address, &six)))
			return true;
	}
	return false;
}

void box_network_env(const struct nook_box *b, struct arena *a, const char ***list, size_t *n)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

	if (net_of(b) != BOX_NET_PROXY && !b->learn_port)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		*arena_push(a, list, n) = arena_printf(a, "%s=http://127.0.0.1:%u", names[i], b->learn_port ? b->learn_port : BOX_PROXY_PORT);
	/* Servers of the box's own are reached without a detour, unless rules name the host's. */
	if (allows_loopback(b) || b->learn)
		return;
	*arena_push(a, list, n) = "no_proxy=localhost,127.0.0.1,::1";
	*arena_push(a, list, n) = "NO_PROXY=localhost,127.0.0.1,::1";
}

static void add_host(struct buf *text, const struct host *h)
{
	char name[HOST_TEXT_MAX];

	buf_adds(text, host_text(h, name));
	if (h->port)
		buf_addf(text, ":%u", h->port);
	buf_addc(text, '\n');
}

void box_network_of(const struct nook_box *b, struct arena *a, struct box_network *ret, const char **ret_hosts)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	*ret = (struct box_network){.net = net_of(b), .learn = b->learn && (net_of(b) == BOX_NET_PROXY || b->learn_port), .n_ports = (uint32_t)b->n_ports};
	for (size_t i = 0; i < b->n_ports; i++)
		ret->ports[i] = b->ports[i];
	for (size_t i = 0; i < b->n_allow; i++)
		add_host(&text, &b->allow[i]);
	*ret_hosts = arena_strdup(a, buf_text(&text));
}
