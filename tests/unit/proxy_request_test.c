/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests.h"

#include "proxy/request.h"

#include <string.h>

static enum request_state parse(const char *text, size_t n, struct request *r)
{
	*r = (struct request){0};
	return request_parse(r, text, n);
}

static void test_connect(void **state)
{
	static const char text[] = "CONNECT Example.org:443 HTTP/1.1\r\nHost: other\r\n\r\nhello";
	struct request r;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &r), REQUEST_READY);
	assert_int_equal(r.protocol, PROTOCOL_CONNECT);
	assert_string_equal(r.host.name, "example.org");
	assert_int_equal(r.host.port, 443);
	assert_string_equal(text + r.used, "hello");
	request_done(&r);
	assert_int_equal(parse(text, 20, &r), REQUEST_MORE);
	request_done(&r);
}

static void test_a_plain_request_is_rewritten(void **state)
{
	static const char text[] = "POST http://Example.org:8080?x=1 HTTP/1.1\r\nHost: evil\r\nProxy-Authorization: Basic eA==\r\nConnection: keep-alive\r\n"
				   "Content-Length: 2\r\nX-Own: a b\r\n\r\nok";
	struct request r;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &r), REQUEST_READY);
	assert_int_equal(r.protocol, PROTOCOL_HTTP);
	assert_string_equal(buf_text(&r.head), "POST /?x=1 HTTP/1.1\r\nHost: example.org:8080\r\nContent-Length: 2\r\nX-Own: a b\r\nConnection: close\r\n\r\n");
	assert_string_equal(text + r.used, "ok");
	request_done(&r);
}

/* Each is refused with an answer, at once. */
static void test_malformed_requests_are_refused(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"GET https://example.org/ HTTP/1.1\r\n\r\n",
		"GET http://user@example.org/ HTTP/1.1\r\n\r\n",
		"GET http://example.org@10.0.0.1/ HTTP/1.1\r\n\r\n",
		"GET http://example.org\\@10.0.0.1/ HTTP/1.1\r\n\r\n",
		"GET http://example.org%2e/ HTTP/1.1\r\n\r\n",
		"GET http://2130706433/ HTTP/1.1\r\n\r\n",
		"GET http:///path HTTP/1.1\r\n\r\n",
		"GET http://example.org/#x HTTP/1.1\r\n\r\n",
		"GET http://example.org/ HTTP/2\r\n\r\n",
		"GET http://example.org/a b HTTP/1.1\r\n\r\n",
		"GET http://example.org/\x7f HTTP/1.1\r\n\r\n",
		"GET http://example.org/ HTTP/1.1\r\nno colon\r\n\r\n",
		"GET http://example.org/ HTTP/1.1\r\nName : x\r\n\r\n",
		"GET http://example.org/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
		"GET http://example.org/ HTTP/1.1\r\nA: b\nHost: evil\r\n\r\n",
		"GET http://example.org/ HTTP/1.1\r\nA: b\rHost: evil\r\n\r\n",
		"CONNECT example.org HTTP/1.1\r\n\r\n",
		"CONNECT example.org:0 HTTP/1.1\r\n\r\n",
		"CONNECT a@example.org:443 HTTP/1.1\r\n\r\n",
		"CONNECT http://example.org:443 HTTP/1.1\r\n\r\n",
		"CONNECT  example.org:443 HTTP/1.1\r\n\r\n",
		"CONNECT [::1%lo]:443 HTTP/1.1\r\n\r\n",
		"\r\n\r\n",
		"\x16\x03\x01",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ http://example.org/ HTTP/1.1\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct request r;

		if (parse(bad[i], strlen(bad[i]), &r) != REQUEST_BAD)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(buf_text(&r.answer), " 400 "));
		assert_non_null(r.why);
		request_done(&r);
	}
}

static void test_large_heads_are_refused(void **state)
{
	char text[REQUEST_MAX];
	struct request r;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET ", 4);
	assert_int_equal(parse(text, sizeof(text) - 1, &r), REQUEST_MORE);
	request_done(&r);
	assert_int_equal(parse(text, sizeof(text), &r), REQUEST_BAD);
	assert_non_null(strstr(buf_text(&r.answer), " 431 "));
	request_done(&r);
}

static void test_socks5(void **state)
{
	static const char greeting[] = "\5\2\2\0", request[] = "\5\1\0\3\13example.org\1\273tls";
	struct request r = {0};

	(void)state;
	assert_int_equal(request_parse(&r, greeting, 3), REQUEST_MORE);
	assert_int_equal(request_parse(&r, greeting, 4), REQUEST_GREETED);
	assert_int_equal(r.used, 4);
	assert_memory_equal(r.answer.data, "\5\0", 2);
	r.answer.len = 0;
	for (size_t n = 1; n < sizeof(request) - 4; n++)
		assert_int_equal(request_parse(&r, request, n), REQUEST_MORE);
	assert_int_equal(request_parse(&r, request, sizeof(request) - 1), REQUEST_READY);
	assert_string_equal(r.host.name, "example.org");
	assert_int_equal(r.host.port, 443);
	assert_string_equal(request + r.used, "tls");
	request_done(&r);
}

static void test_socks_that_is_not_served(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		char code; /* the second byte of the answer */
	} bad[] = {
		{"\5\1\2", 3, (char)0xff},              /* only with a login */
		{"\4\2\0\120\1\2\3\4u\0", 10, 91},       /* BIND */
		{"\4\1\0\0\1\2\3\4u\0", 10, 91},         /* port 0 */
		{"\4\1\0\120\0\0\0\1u\0bad name\0", 19, 91},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct request r;

		assert_int_equal(parse(bad[i].bytes, bad[i].n, &r), REQUEST_BAD);
		assert_int_equal(r.answer.data[1], bad[i].code);
		request_done(&r);
	}
}

static void test_socks4(void **state)
{
	static const char by_name[] = "\4\1\0\120\0\0\0\1user\0example.org\0x", by_address[] = "\4\1\0\120\1\2\3\4\0y";
	struct request r;

	(void)state;
	assert_int_equal(parse(by_name, sizeof(by_name) - 1, &r), REQUEST_READY);
	assert_string_equal(r.host.name, "example.org");
	assert_int_equal(r.used, sizeof(by_name) - 2);
	request_done(&r);
	assert_int_equal(parse(by_address, sizeof(by_address) - 1, &r), REQUEST_READY);
	assert_string_equal(r.host.name, "1.2.3.4");
	assert_string_equal(by_address + r.used, "y");
	request_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_a_plain_request_is_rewritten),
		cmocka_unit_test(test_malformed_requests_are_refused),
		cmocka_unit_test(test_large_heads_are_refused),
		cmocka_unit_test(test_socks5),
		cmocka_unit_test(test_socks_that_is_not_served),
		cmocka_unit_test(test_socks4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
