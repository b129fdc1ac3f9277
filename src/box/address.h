/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of the internet protocols, and which of them belong to no network of one's own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	uint8_t family; /* 4 or 6 */
	uint8_t bytes[16];
};

enum { ADDRESS_TEXT_MAX = 48 };

/* An address in its usual spelling, and no other ("127.1", "0177.0.0.1", "fe80::1%eth0"): true when TEXT is one. */
bool address_parse(const char *text, struct address *ret);
bool address_is(const struct address *a, const struct address *b);
/* Anybody's on the internet: not private, loopback, link-local, multicast, reserved, unspecified, nor one that stands for an
 * IPv4 address in another form (mapped, NAT64, 6to4, Teredo). */
bool address_is_public(const struct address *a);
void address_text(const struct address *a, char ret[ADDRESS_TEXT_MAX]);
/* The length of what is filled in. */
socklen_t address_sockaddr(const struct address *a, uint16_t port, struct sockaddr_storage *ret);
/* False for other families. */
bool address_from_sockaddr(const struct sockaddr *from, struct address *ret);
