/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http/url.h"

#include "tests.h"

#include <stdlib.h>

static void test_resolve(void **state)
{
	static const struct {
		const char *base, *location, *whole;
	} cases[] = {
		{"https://a/v2/x", "/y?q=1", "https://a/y?q=1"},
		{"https://a:5000/v2/x/", "y", "https://a:5000/v2/x/y"},
		{"https://a/v2/x?old=1", "https://b/z", "https://b/z"},
		{"https://a/v2/x", "//b/z", "https://b/z"},
		{"https://a/v2/x", "http://b/z#part", "http://b/z"},
		{"https://a/v2/x", "file:///etc/passwd", NULL},
		{"https://a/v2/x", "ftp://b/", NULL},
		{"https://a/v2/x", "https://user:pass@b/", NULL},
		{"https://a/v2/x", "https://", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *whole = url_resolve(cases[i].base, cases[i].location);

		if (cases[i].whole)
			assert_string_equal(whole, cases[i].whole);
		else
			assert_null(whole);
		free(whole);
	}
}

static void test_origin(void **state)
{
	assert_true(url_same_origin("https://A/x", "https://a:443/y"));
	assert_true(url_same_origin("http://a:80/x", "http://a/y"));
	assert_false(url_same_origin("https://a/x", "http://a/x"));
	assert_false(url_same_origin("https://a/x", "https://a:8443/x"));
	assert_false(url_same_origin("https://a/x", "https://a.b/x"));
	assert_false(url_same_origin("https://a/x", "nonsense://"));
}

static void test_loopback(void **state)
{
	assert_true(url_is_loopback("http://127.0.0.1:5000/"));
	assert_true(url_is_loopback("http://127.9.9.9/"));
	assert_true(url_is_loopback("http://localhost:5000/"));
	assert_true(url_is_loopback("http://x.localhost/"));
	assert_true(url_is_loopback("http://[::1]:5000/"));
	assert_false(url_is_loopback("http://127.0.0.1.example/"));
	assert_false(url_is_loopback("http://localhost.example/"));
	assert_false(url_is_loopback("http://10.0.0.1/"));
	assert_false(url_is_loopback("http://user@10.0.0.1/#@127.0.0.1/"));
}

static void test_host(void **state)
{
	static const struct {
		const char *url, *host;
	} cases[] = {
		{"https://a.example/x", "a.example"}, {"https://a.example:5000/x", "a.example:5000"}, {"https://a.example:443/x", "a.example:443"},
		{"https://127.0.0.1:1/../..", "127.0.0.1:1"}, {"https://../x", NULL}, {"https://.hidden/x", NULL}, {"file:///etc", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *host = url_host(cases[i].url);

		if (cases[i].host)
			assert_string_equal(host, cases[i].host);
		else
			assert_null(host);
		free(host);
	}
}

static void test_escape(void **state)
{
	char *text = url_escape("repository:a/b:pull,push \xc3\xa9&=");

	assert_string_equal(text, "repository%3Aa%2Fb%3Apull%2Cpush%20%C3%A9%26%3D");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
