/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers of the host and of its neighbourhood, directly and through a proxy where one listens. */
#include "escape.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The test has servers at this port that say GREETING, and where it can a proxy at the other. */
enum { BAIT_PORT = 48169, PROXY_PORT = 3128, SECONDS = 3, TRIES = 4 };
#define GREETING "reached"
#define METADATA "169.254.169.254"

static int dial(const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const struct timeval patience = {.tv_sec = SECONDS};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Does whoever is behind FD greet, after what a proxy may say first? */
static bool greets(int fd)
{
	char text[1024] = "";
	size_t n = 0;
	ssize_t r;

	while (fd >= 0 && n < sizeof(text) - 1 && (r = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0) {
		n += (size_t)r;
		if (memmem(text, n, GREETING, strlen(GREETING)))
			break;
	}
	if (fd >= 0)
		(void)close(fd);
	return memmem(text, n, GREETING, strlen(GREETING)) != NULL;
}

static bool greets_through_proxy(const void *request, size_t n)
{
	int fd = dial("127.0.0.1", PROXY_PORT);

	if (fd >= 0 && send(fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) {
		(void)close(fd);
		return false;
	}
	return greets(fd);
}

static bool connects_to(const char *host)
{
	char request[512];
	int n = snprintf(request, sizeof(request), "CONNECT %s:%d HTTP/1.1\r\n\r\n", host, BAIT_PORT);

	return greets_through_proxy(request, (size_t)n);
}

bool attack_metadata(void)
{
	return greets(dial(METADATA, BAIT_PORT));
}

bool attack_loopback(void)
{
	return greets(dial("127.0.0.1", BAIT_PORT));
}

bool attack_proxy_metadata(void)
{
	static const char *const spellings[] = {METADATA, "[::ffff:" METADATA "]", "2852039166", "0251.0376.0251.0376", "0xa9fea9fe",
		"metadata.example.org"};
	bool gained = false;

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
		gained = connects_to(spellings[i]) || gained;
	return gained;
}

bool attack_proxy_socks(void)
{
	static const unsigned char request[] = {5, 1, 0, 5, 1, 0, 1, 169, 254, 169, 254, BAIT_PORT >> 8, BAIT_PORT & 0xff};

	return greets_through_proxy(request, sizeof(request));
}

bool attack_proxy_loopback(void)
{
	static const char *const spellings[] = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1", "2130706433",
		"0177.0.0.1", "loop.example.org"};
	bool gained = false;

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
		gained = connects_to(spellings[i]) || gained;
	return gained;
}

/* A name that is a harmless address at first and another one when it is asked for again. */
bool attack_proxy_rebinding(void)
{
	bool gained = false;

	for (int i = 0; i < TRIES; i++)
		gained = connects_to("rebind.example.com") || gained;
	return gained;
}
