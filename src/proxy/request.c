/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proxy/request.h"

#include "base/text.h"

#include <strings.h>

enum { METHOD_MAX = 20, SOCKS4_USER_MAX = 256, HTTP_PORT = 80 };

enum { SOCKS5_NO_LOGIN = 0, SOCKS5_NO_METHOD = 0xff, SOCKS_CONNECT = 1 };
enum { SOCKS5_IPV4 = 1, SOCKS5_NAME = 3, SOCKS5_IPV6 = 4 };

void request_done(struct request *r)
{
	buf_done(&r->answer);
	buf_done(&r->head);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static void answer_http(unsigned status, const char *reason, const char *text, struct buf *to)
{
	buf_addf(to, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\nnook box: %s\n", status, reason, strlen(text) + sizeof("nook box: "), text);
}

static void answer_socks5(unsigned code, struct buf *to)
{
	const char bytes[] = {5, (char)code, 0, SOCKS5_IPV4, 0, 0, 0, 0, 0, 0};

	buf_add(to, bytes, sizeof(bytes));
}

static void answer_socks4(unsigned code, struct buf *to)
{
	const char bytes[] = {0, (char)code, 0, 0, 0, 0, 0, 0};

	buf_add(to, bytes, sizeof(bytes));
}

static const struct {
	unsigned socks5, socks4, status;
	const char *reason;
} outcomes[] = {
	[OUTCOME_CONNECTED] = {0, 90, 200, "Connection established"},
	[OUTCOME_REFUSED] = {2, 91, 403, "Forbidden"},
	[OUTCOME_NOT_FOUND] = {4, 91, 502, "Bad Gateway"},
	[OUTCOME_UNREACHABLE] = {5, 91, 502, "Bad Gateway"},
	[OUTCOME_TIMEOUT] = {6, 91, 504, "Gateway Timeout"},
	[OUTCOME_BUSY] = {1, 91, 503, "Service Unavailable"},
};

void request_answer(const struct request *r, enum outcome outcome, const char *text, struct buf *to)
{
	switch (r->protocol) {
	case PROTOCOL_SOCKS5:
		answer_socks5(outcomes[outcome].socks5, to);
		return;
	case PROTOCOL_SOCKS4:
		answer_socks4(outcomes[outcome].socks4, to);
		return;
	case PROTOCOL_CONNECT:
		if (outcome == OUTCOME_CONNECTED) {
			buf_adds(to, "HTTP/1.1 200 Connection established\r\n\r\n");
			return;
		}
		break;
	case PROTOCOL_HTTP:
		if (outcome == OUTCOME_CONNECTED)
			return;
		break;
	case PROTOCOL_UNKNOWN:
		return;
	}
	answer_http(outcomes[outcome].status, outcomes[outcome].reason, text, to);
}

static enum request_state bad(struct request *r, const char *why)
{
	r->why = why;
	if (r->protocol == PROTOCOL_SOCKS5)
		answer_socks5(1, &r->answer);
	else if (r->protocol == PROTOCOL_SOCKS4)
		answer_socks4(91, &r->answer);
	else
		answer_http(400, "Bad Request", why, &r->answer);
	return REQUEST_BAD;
}

/* ---- SOCKS --------------------------------------------------------------------------------------------------------- */

static uint16_t port_at(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

/* A name of LEN bytes that may hold anything. */
static enum request_state socks_name(struct request *r, const uint8_t *name, size_t len, uint16_t port)
{
	char text[256];

	if (len >= sizeof(text) || memchr(name, 0, len))
		return bad(r, "the name of the host holds a zero byte");
	memcpy(text, name, len);
	text[len] = 0;
	if (host_parse_name(text, &r->host, &r->why) < 0)
		return bad(r, r->why);
	r->host.port = port;
	return port ? REQUEST_READY : bad(r, "the port is 0");
}

static enum request_state socks_address(struct request *r, uint8_t family, const uint8_t *bytes, uint16_t port)
{
	r->host = (struct host){.kind = HOST_ADDRESS, .address = {.family = family}, .port = port};
	memcpy(r->host.address.bytes, bytes, family == 4 ? 4 : 16);
	address_text(&r->host.address, r->host.name);
	return port ? REQUEST_READY : bad(r, "the port is 0");
}

static enum request_state socks5_greeting(struct request *r, const uint8_t *b, size_t n)
{
	const char no_login[] = {5, SOCKS5_NO_LOGIN}, no_method[] = {5, (char)SOCKS5_NO_METHOD};

	if (n < 2 || n < 2U + b[1])
		return REQUEST_MORE;
	r->used = 2U + b[1];
	r->greeted = true;
	if (memchr(b + 2, SOCKS5_NO_LOGIN, b[1])) {
		buf_add(&r->answer, no_login, sizeof(no_login));
		return REQUEST_GREETED;
	}
	buf_add(&r->answer, no_method, sizeof(no_method));
	r->why = "SOCKS without a login is the only kind there is";
	return REQUEST_BAD;
}

static enum request_state socks5_request(struct request *r, const uint8_t *b, size_t n)
{
	static const uint8_t sizes[] = {[SOCKS5_IPV4] = 4, [SOCKS5_NAME] = 1, [SOCKS5_IPV6] = 16};
	size_t len;

	if (n < 5)
		return REQUEST_MORE;
	if (b[0] != 5 || b[2] != 0 || b[3] >= sizeof(sizes) || !sizes[b[3]])
		return bad(r, "it is no request of SOCKS 5");
	len = b[3] == SOCKS5_NAME ? 1U + b[4] : sizes[b[3]];
	if (n < 4 + len + 2)
		return REQUEST_MORE;
	r->used = 4 + len + 2;
	if (b[1] != SOCKS_CONNECT) {
		answer_socks5(7, &r->answer);
		r->why = "only the command CONNECT of SOCKS is there";
		return REQUEST_BAD;
	}
	if (b[3] == SOCKS5_NAME)
		return socks_name(r, b + 5, b[4], port_at(b + 4 + len));
	return socks_address(r, b[3] == SOCKS5_IPV4 ? 4 : 6, b + 4, port_at(b + 4 + len));
}

/* VERSION COMMAND PORT ADDRESS user 0; an address 0.0.0.x says that a name and 0 follow. */
static enum request_state socks4(struct request *r, const uint8_t *b, size_t n)
{
	const uint8_t *user = b + 8, *end, *name, *name_end;

	if (n < 9)
		return REQUEST_MORE;
	end = memchr(user, 0, n - 8);
	if ((end ? (size_t)(end - user) : n - 8) > SOCKS4_USER_MAX)
		return bad(r, "the name of the user is too long");
	if (!end)
		return REQUEST_MORE;
	if (b[1] != SOCKS_CONNECT)
		return bad(r, "only the command CONNECT of SOCKS is there");
	if (b[4] || b[5] || b[6] || !b[7]) {
		r->used = (size_t)(end + 1 - b);
		return socks_address(r, 4, b + 4, port_at(b + 2));
	}
	name = end + 1;
	name_end = memchr(name, 0, n - (size_t)(name - b));
	if (!name_end)
		return n - (size_t)(name - b) > HOST_NAME_MAX_LEN + 1 ? bad(r, "the name of the host is too long") : REQUEST_MORE;
	r->used = (size_t)(name_end + 1 - b);
	return socks_name(r, name, (size_t)(name_end - name), port_at(b + 2));
}

/* ---- HTTP ---------------------------------------------------------------------------------------------------------- */

struct line {
	const char *at;
	size_t len;
};

/* The next line of a head; every line ends with CRLF, which the caller has seen at the end of the head. */
static struct line take_line(const char **at, const char *end)
{
	const char *line = *at, *stop = memmem(line, (size_t)(end - line), "\r\n", 2);

	*at = stop + 2;
	return (struct line){line, (size_t)(stop - line)};
}

/* Only printable ASCII and, where a text is free, spaces and tabs and what is above ASCII. */
static bool is_clean(struct line l)
{
	for (size_t i = 0; i < l.len; i++)
		if (((unsigned char)l.at[i] < ' ' && l.at[i] != '\t') || l.at[i] == 0x7f)
			return false;
	return true;
}

static bool is_token(const char *s, size_t len)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') ||
			(s[i] && strchr(others, s[i]))))
			return false;
	return len > 0;
}

static bool is_header(struct line l)
{
	const char *colon = memchr(l.at, ':', l.len);

	return colon && is_token(l.at, (size_t)(colon - l.at)) && is_clean(l);
}

/* Headers that are between the client and its proxy, and the one that this proxy writes itself. */
static bool is_dropped(struct line l)
{
	static const char *const names[] = {"host", "connection", "proxy-connection", "keep-alive", "proxy-authorization",
		"proxy-authenticate", "te", "upgrade"};
	size_t len = (size_t)((const char *)memchr(l.at, ':', l.len) - l.at);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && !strncasecmp(names[i], l.at, len))
			return true;
	return false;
}

struct request_line {
	struct line method, target;
	bool newer; /* HTTP/1.1 */
};

static bool split_request_line(struct line l, struct request_line *ret)
{
	const char *first = memchr(l.at, ' ', l.len), *second, *end = l.at + l.len;

	if (!first)
		return false;
	second = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (!second)
		return false;
	ret->method = (struct line){l.at, (size_t)(first - l.at)};
	ret->target = (struct line){first + 1, (size_t)(second - first - 1)};
	ret->newer = end - second == 9 && !memcmp(second, " HTTP/1.1", 9);
	if (!ret->newer && !(end - second == 9 && !memcmp(second, " HTTP/1.0", 9)))
		return false;
	for (size_t i = 0; i < ret->target.len; i++)
		if ((unsigned char)ret->target.at[i] <= ' ' || (unsigned char)ret->target.at[i] >= 0x7f)
			return false;
	return ret->method.len <= METHOD_MAX && is_token(ret->method.at, ret->method.len);
}

/* "HOST[:PORT]" of a target.  Whoever stands before an @ is nobody's business, and a well-known trick. */
static bool take_authority(struct request *r, const char *at, size_t len)
{
	char text[HOST_NAME_MAX_LEN + 16];

	if (len >= sizeof(text) || memchr(at, '@', len) || memchr(at, '\\', len) || memchr(at, '%', len)) {
		r->why = "the host of the request is no plain HOST:PORT";
		return false;
	}
	memcpy(text, at, len);
	text[len] = 0;
	return host_parse(text, &r->host, &r->why) == 0;
}

/* What the server gets: the path alone, its own name as Host, and the news that one request is all. */
static void write_head(struct request *r, const struct request_line *q, struct line path, const char *headers, const char *end)
{
	char host[HOST_TEXT_MAX];

	buf_add(&r->head, q->method.at, q->method.len);
	buf_adds(&r->head, !path.len || path.at[0] == '?' ? " /" : " ");
	buf_add(&r->head, path.at, path.len);
	buf_addf(&r->head, " HTTP/1.%d\r\nHost: %s", q->newer, host_text(&r->host, host));
	if (r->host.port != HTTP_PORT)
		buf_addf(&r->head, ":%u", r->host.port);
	buf_adds(&r->head, "\r\n");
	while (headers < end) {
		struct line l = take_line(&headers, end);

		if (!l.len || is_dropped(l))
			continue;
		buf_add(&r->head, l.at, l.len);
		buf_adds(&r->head, "\r\n");
	}
	buf_adds(&r->head, "Connection: close\r\n\r\n");
}

static enum request_state http_plain(struct request *r, const struct request_line *q, const char *headers, const char *end)
{
	static const char scheme[] = "http://";
	size_t skip = sizeof(scheme) - 1, len;
	const char *authority = q->target.at + skip;

	if (q->target.len <= skip || strncasecmp(q->target.at, scheme, skip) != 0)
		return bad(r, q->target.len && q->target.at[0] == '/'
				? "this is a proxy: set http_proxy, or ask for http://HOST/PATH or CONNECT HOST:PORT"
				: "only http:// is passed on as a request; for everything else ask for CONNECT HOST:PORT");
	for (len = 0; len < q->target.len - skip && !strchr("/?#", authority[len]); len++)
		;
	if (memchr(q->target.at, '#', q->target.len))
		return bad(r, "the target of a request has no fragment");
	if (!take_authority(r, authority, len))
		return bad(r, r->why);
	if (!r->host.port)
		r->host.port = HTTP_PORT;
	write_head(r, q, (struct line){authority + len, q->target.len - skip - len}, headers, end);
	return REQUEST_READY;
}

static enum request_state http(struct request *r, const char *data, size_t n)
{
	const char *end = memmem(data, n, "\r\n\r\n", 4), *at = data, *headers;
	struct request_line q;

	r->protocol = PROTOCOL_HTTP;
	if (!end) {
		/* What cannot become a request is told at once, not when the client gives up. */
		if (!is_token(data, 1))
			return bad(r, "it is no request of HTTP");
		if (n < REQUEST_MAX)
			return REQUEST_MORE;
		r->why = "the head of the request is larger than 16 KiB";
		answer_http(431, "Request Header Fields Too Large", r->why, &r->answer);
		return REQUEST_BAD;
	}
	end += 4;
	r->used = (size_t)(end - data);
	if (!split_request_line(take_line(&at, end), &q))
		return bad(r, "it is no request of HTTP/1.1 or HTTP/1.0");
	headers = at;
	while (at < end) {
		struct line l = take_line(&at, end);

		if (l.len && !is_header(l))
			return bad(r, "a header of the request is malformed");
	}
	if (q.method.len != 7 || memcmp(q.method.at, "CONNECT", 7) != 0)
		return http_plain(r, &q, headers, end);
	r->protocol = PROTOCOL_CONNECT;
	if (!take_authority(r, q.target.at, q.target.len))
		return bad(r, r->why);
	return r->host.port ? REQUEST_READY : bad(r, "CONNECT wants HOST:PORT");
}

enum request_state request_parse(struct request *r, const char *data, size_t n)
{
	const uint8_t *bytes = (const uint8_t *)data;

	if (!n)
		return REQUEST_MORE;
	if (r->greeted)
		return socks5_request(r, bytes, n);
	if (bytes[0] == 5) {
		r->protocol = PROTOCOL_SOCKS5;
		return socks5_greeting(r, bytes, n);
	}
	if (bytes[0] == 4) {
		r->protocol = PROTOCOL_SOCKS4;
		return socks4(r, bytes, n);
	}
	return http(r, data, n);
}
