/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which hosts a box may reach: the values of the rule "allow", and the question whether one of them covers a host that the
 * box names.  Shared by the rule language and the proxy, so that both read a name in the same way.
 */
#pragma once

#include "box/address.h"

enum host_kind {
	HOST_NAME,
	HOST_ADDRESS,
	HOST_BELOW, /* rules: "*.example.org", every name below it, not itself */
	HOST_ANY,   /* rules: "*", every public host */
};

enum { HOST_NAME_MAX_LEN = 253 };

/* "example.org", "example.org:443", "192.0.2.1:80", "[2001:db8::1]:80". */
struct host {
	enum host_kind kind;
	char name[HOST_NAME_MAX_LEN + 3]; /* lower case, no dot at the end; of an address, its usual spelling */
	struct address address;
	uint16_t port; /* 0: none was given; rules: every port */
};

enum { HOST_TEXT_MAX = HOST_NAME_MAX_LEN + 8 };
/* As it is spelt before a port: an IPv6 address in brackets, "*." before what is below a name.  Returns BUF. */
const char *host_text(const struct host *h, char buf[HOST_TEXT_MAX]);

/* A name or an address, without a port: 0, or -EINVAL and in *WHY a clause.  Text that inet_aton(3) would take for an address
 * but is not spelt as one ("2130706433", "0x7f.1", "127.1") is neither. */
int host_parse_name(const char *text, struct host *ret, const char **why);
/* The same with an optional port.  Wildcards are for rules alone. */
int host_parse(const char *text, struct host *ret, const char **why);
int host_parse_rule(const char *text, struct host *ret, const char **why);

/* Does one of the rules name this host and port? */
bool allow_host(const struct host *rules, size_t n, const struct host *wanted);
/* May a connection go to this address, which is one of the host that allow_host() let through?  Those that are not public
 * only where a rule names them. */
bool allow_address(const struct host *rules, size_t n, const struct address *a, uint16_t port);
