/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http/url.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <strings.h>

static void url_done(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void text_done(char **text)
{
	curl_free(*text);
}

#define AUTO_URL __attribute__((cleanup(url_done)))
#define AUTO_TEXT __attribute__((cleanup(text_done)))

static CURLU *parse(const char *url)
{
	CURLU *u = curl_url();

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		return u;
	curl_url_cleanup(u);
	return NULL;
}

static char *part(CURLU *u, CURLUPart which)
{
	char *text = NULL;

	return u && curl_url_get(u, which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

char *url_resolve(const char *base, const char *location)
{
	AUTO_URL CURLU *u = parse(base);

	if (!u || curl_url_set(u, CURLUPART_URL, location, 0) != CURLUE_OK)
		return NULL;
	AUTO_TEXT char *scheme = part(u, CURLUPART_SCHEME);
	AUTO_TEXT char *user = part(u, CURLUPART_USER);
	AUTO_TEXT char *whole = NULL;

	if (!scheme || user || (!text_is(scheme, "https") && !text_is(scheme, "http")))
		return NULL;
	(void)curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	if (curl_url_get(u, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		return NULL;
	return xstrdup(whole);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart which)
{
	AUTO_TEXT char *left = part(a, which);
	AUTO_TEXT char *right = part(b, which);

	return left && right && strcasecmp(left, right) == 0;
}

bool url_same_origin(const char *a, const char *b)
{
	AUTO_URL CURLU *left = parse(a);
	AUTO_URL CURLU *right = parse(b);

	return left && right && same_part(left, right, CURLUPART_SCHEME) && same_part(left, right, CURLUPART_HOST) &&
		same_part(left, right, CURLUPART_PORT);
}

bool url_is_plain(const char *url)
{
	return strncasecmp(url, "http:", 5) == 0;
}

static bool host_is_loopback(const char *host)
{
	static const char suffix[] = ".localhost";
	size_t len = strlen(host);
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || text_is(host, "::1") || text_is(host, "[::1]"))
		return true;
	if (len > sizeof(suffix) - 1 && strcasecmp(host + len - (sizeof(suffix) - 1), suffix) == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

bool url_is_loopback(const char *url)
{
	AUTO_URL CURLU *u = parse(url);
	AUTO_TEXT char *host = part(u, CURLUPART_HOST);

	return host && host_is_loopback(host);
}

char *url_host(const char *url)
{
	AUTO_URL CURLU *u = parse(url);
	AUTO_TEXT char *host = part(u, CURLUPART_HOST);
	AUTO_TEXT char *port = NULL;

	if (!host || host[0] == '.' || strchr(host, '/'))
		return NULL;
	return curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK ? xasprintf("%s:%s", host, port) : xstrdup(host);
}

char *url_escape(const char *text)
{
	struct buf b = {0};

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			buf_addc(&b, (char)c);
		else
			buf_addf(&b, "%%%02X", c);
	}
	return b.data ? b.data : xstrdup("");
}
