/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct range {
	uint8_t bytes[16];
	uint8_t bits;
};

/* The special-purpose registry of IANA: what is not reachable from everywhere, and what leads elsewhere than it says. */
static const struct range special4[] = {
	{{0}, 8},              /* this network; 0.0.0.0 is the local host to connect(2) */
	{{10}, 8},             /* private */
	{{100, 64}, 10},       /* shared, behind carriers' NAT */
	{{127}, 8},            /* loopback */
	{{169, 254}, 16},      /* link-local, and the metadata services of clouds */
	{{172, 16}, 12},       /* private */
	{{192, 0, 0}, 24},     /* protocol assignments */
	{{192, 0, 2}, 24},     /* documentation */
	{{192, 88, 99}, 24},   /* 6to4 relays */
	{{192, 168}, 16},      /* private */
	{{198, 18}, 15},       /* benchmarks */
	{{198, 51, 100}, 24},  /* documentation */
	{{203, 0, 113}, 24},   /* documentation */
	{{224}, 4},            /* multicast */
	{{240}, 4},            /* reserved, and broadcast */
};

/* Within 2000::/3, outside of which nothing is public: not ::1, fc00::/7, fe80::/10, ff00::/8, ::ffff:0:0/96, 64:ff9b::/96. */
static const struct range global6 = {{0x20}, 3};
static const struct range special6[] = {
	{{0x20, 0x01, 0x00}, 23},             /* Teredo, ORCHID, benchmarks and other protocol assignments */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
	{{0x20, 0x02}, 16},                   /* 6to4 */
	{{0x3f, 0xff, 0x00}, 20},             /* documentation */
};

static bool is_in(const uint8_t *bytes, const struct range *r)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (memcmp(bytes, r->bytes, whole) != 0)
		return false;
	return !rest || !((bytes[whole] ^ r->bytes[whole]) >> (8 - rest));
}

bool address_is_public(const struct address *a)
{
	const struct range *special = a->family == 4 ? special4 : special6;
	size_t n = a->family == 4 ? sizeof(special4) / sizeof(special4[0]) : sizeof(special6) / sizeof(special6[0]);

	if (a->family == 6 && !is_in(a->bytes, &global6))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_in(a->bytes, &special[i]))
			return false;
	return true;
}

bool address_parse(const char *text, struct address *ret)
{
	struct address a = {.family = 4};

	if (inet_pton(AF_INET, text, a.bytes) != 1) {
		a = (struct address){.family = 6};
		if (inet_pton(AF_INET6, text, a.bytes) != 1)
			return false;
	}
	*ret = a;
	return true;
}

bool address_is(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

void address_text(const struct address *a, char ret[ADDRESS_TEXT_MAX])
{
	(void)inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, ret, ADDRESS_TEXT_MAX);
}

socklen_t address_sockaddr(const struct address *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (a->family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, a->bytes, sizeof(four->sin_addr));
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	memcpy(&six->sin6_addr, a->bytes, sizeof(six->sin6_addr));
	return sizeof(*six);
}

bool address_from_sockaddr(const struct sockaddr *from, struct address *ret)
{
	struct address a = {0};

	if (from->sa_family == AF_INET) {
		a.family = 4;
		memcpy(a.bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		a.family = 6;
		memcpy(a.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	} else {
		return false;
	}
	*ret = a;
	return true;
}
