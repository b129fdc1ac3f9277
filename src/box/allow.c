/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/allow.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>

enum { LABEL_MAX = 63, PORT_MAX = 65535 };

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One label, LEN bytes: letters, digits, hyphens inside; underscores, as service names have them. */
static bool is_label(const char *label, size_t len)
{
	if (!len || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter_or_digit(label[i]) && label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

/* What inet_aton(3) reads as a number: no name of a host ends in such a label. */
static bool is_number(const char *label)
{
	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, "0123456789abcdef")] == 0;
	return label[strspn(label, "0123456789")] == 0;
}

static bool is_name(const char *name)
{
	const char *label = name;

	for (const char *c = name;; c++) {
		if (*c && *c != '.')
			continue;
		if (!is_label(label, (size_t)(c - label)))
			return false;
		if (!*c)
			break;
		label = c + 1;
	}
	return !is_number(label);
}

const char *host_text(const struct host *h, char buf[HOST_TEXT_MAX])
{
	bool six = h->kind == HOST_ADDRESS && h->address.family == 6;

	(void)snprintf(buf, HOST_TEXT_MAX, "%s%s%s%s", h->kind == HOST_BELOW ? "*." : "", six ? "[" : "", h->name, six ? "]" : "");
	return buf;
}

int host_parse_name(const char *text, struct host *ret, const char **why)
{
	struct host h = {.kind = HOST_NAME};
	size_t len = strlen(text);

	if (address_parse(text, &h.address)) {
		h.kind = HOST_ADDRESS;
		address_text(&h.address, h.name);
		*ret = h;
		return 0;
	}
	if (len > 1 && text[len - 1] == '.')
		len--;
	*why = "it is neither the name of a host nor an address in its usual spelling";
	if (!len || len > HOST_NAME_MAX_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		h.name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
	if (!is_name(h.name))
		return -EINVAL;
	*ret = h;
	return 0;
}

/* Cuts ":PORT" off COPY, and the brackets of an address. */
static int split_port(char *copy, char **ret_name, uint16_t *ret_port, const char **why)
{
	char *colon = strrchr(copy, ':');
	uint64_t port = 0;

	*ret_name = copy;
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');

		*why = "an address in brackets is followed by nothing or by :PORT";
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*end = 0;
		*ret_name = copy + 1;
		if (!strchr(*ret_name, ':'))
			return -EINVAL; /* only IPv6 stands in brackets */
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && colon != strchr(copy, ':')) {
		return 0; /* an IPv6 address without brackets has no port */
	}
	if (!colon)
		return 0;
	*why = "the port is a number from 1 to 65535";
	if (colon[1] < '0' || colon[1] > '9' || text_u64(colon + 1, &port) < 0 || !port || port > PORT_MAX)
		return -EINVAL;
	*colon = 0;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse(const char *text, bool wildcards, struct host *ret, const char **why)
{
	char copy[HOST_NAME_MAX_LEN + 16], *name;
	struct host h;
	uint16_t port = 0;
	const char *rest;

	*why = "it is too long for a host";
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	(void)stpcpy(copy, text);
	if (split_port(copy, &name, &port, why) < 0)
		return -EINVAL;
	if (wildcards && text_is(name, "*")) {
		*ret = (struct host){.kind = HOST_ANY, .name = "*", .port = port};
		return 0;
	}
	rest = wildcards ? text_after(name, "*.") : NULL;
	if (host_parse_name(rest ? rest : name, &h, why) < 0)
		return -EINVAL;
	if (rest && h.kind == HOST_ADDRESS) {
		*why = "there is nothing below an address";
		return -EINVAL;
	}
	if (rest)
		h.kind = HOST_BELOW;
	h.port = port;
	*ret = h;
	return 0;
}

int host_parse(const char *text, struct host *ret, const char **why)
{
	return parse(text, false, ret, why);
}

int host_parse_rule(const char *text, struct host *ret, const char **why)
{
	return parse(text, true, ret, why);
}

static bool is_below(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return n > d + 1 && name[n - d - 1] == '.' && text_is(name + n - d, domain);
}

static bool covers(const struct host *rule, const struct host *wanted)
{
	if (rule->port && rule->port != wanted->port)
		return false;
	switch (rule->kind) {
	case HOST_NAME:
		return wanted->kind == HOST_NAME && text_is(rule->name, wanted->name);
	case HOST_BELOW:
		return wanted->kind == HOST_NAME && is_below(wanted->name, rule->name);
	case HOST_ADDRESS:
		return wanted->kind == HOST_ADDRESS && address_is(&rule->address, &wanted->address);
	case HOST_ANY:
		return wanted->kind == HOST_NAME || address_is_public(&wanted->address);
	}
	return false;
}

bool allow_host(const struct host *rules, size_t n, const struct host *wanted)
{
	for (size_t i = 0; i < n; i++)
		if (covers(&rules[i], wanted))
			return true;
	return false;
}

bool allow_address(const struct host *rules, size_t n, const struct address *a, uint16_t port)
{
	const struct host wanted = {.kind = HOST_ADDRESS, .address = *a, .port = port};

	if (address_is_public(a))
		return true;
	for (size_t i = 0; i < n; i++)
		if (rules[i].kind == HOST_ADDRESS && covers(&rules[i], &wanted))
			return true;
	return false;
}
