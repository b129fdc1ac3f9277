/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests.h"

#include "box/allow.h"

static void test_names_are_read_in_one_way(void **state)
{
	static const struct {
		const char *text, *name;
		enum host_kind kind;
		uint16_t port;
	} good[] = {
		{"Example.ORG", "example.org", HOST_NAME, 0},
		{"example.org.", "example.org", HOST_NAME, 0},
		{"a_b.example.org:65535", "a_b.example.org", HOST_NAME, 65535},
		{"localhost:80", "localhost", HOST_NAME, 80},
		{"1.example.1a", "1.example.1a", HOST_NAME, 0},
		{"192.0.2.1:1", "192.0.2.1", HOST_ADDRESS, 1},
		{"[2001:DB8:0::1]:443", "2001:db8::1", HOST_ADDRESS, 443},
		{"2001:db8::1", "2001:db8::1", HOST_ADDRESS, 0},
		{"[::1]", "::1", HOST_ADDRESS, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct host h;
		const char *why = NULL;

		assert_int_equal(host_parse(good[i].text, &h, &why), 0);
		assert_string_equal(h.name, good[i].name);
		assert_int_equal(h.kind, good[i].kind);
		assert_int_equal(h.port, good[i].port);
	}
}

/* Whatever getaddrinfo(3) or inet_aton(3) might take for an address, and whatever is no name at all. */
static void test_other_spellings_are_no_hosts(void **state)
{
	static const char *const bad[] = {
		"", ".", "..", "a..b", ".a", "-a.org", "a-.org", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.0.01",
		"1.2.3.4.5", "example.123", "example.0x1f", "0", "a b", "a\tb", "a/b", "a\\b", "u@example.org", "a%2e.org", "a:b", "a:", "a:0",
		"a:65536", "a:-1", "a:+1", "a: 1", "a:1x", "[1.2.3.4]", "[::1", "[::1]x", "[::1]:", "::1%eth0", "[fe80::1%1]", "[]", "*", "*.org",
		"x\xc3\xa4.org", "xn--.-org",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct host h;
		const char *why = NULL;

		if (host_parse(bad[i], &h, &why) == 0)
			fail_msg("\"%s\" was taken for %s", bad[i], h.name);
		assert_non_null(why);
	}
}

static struct host rule(const char *text)
{
	struct host h;
	const char *why;

	assert_int_equal(host_parse_rule(text, &h, &why), 0);
	return h;
}

static void test_a_rule_is_spelt_as_it_was_read(void **state)
{
	static const char *const rules[] = {"example.org", "*.example.org", "*", "192.0.2.1", "[2001:db8::1]"};
	char text[HOST_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const char *why = NULL;
		struct host h;

		assert_int_equal(host_parse_rule(rules[i], &h, &why), 0);
		assert_string_equal(host_text(&h, text), rules[i]);
	}
}

static void test_rules_cover_exactly_what_they_say(void **state)
{
	static const struct {
		const char *rule, *host;
		bool covers;
	} cases[] = {
		{"example.org", "example.org:80", true},
		{"example.org:443", "example.org:443", true},
		{"example.org:443", "example.org:80", false},
		{"example.org", "www.example.org:80", false},
		{"example.org", "notexample.org:80", false},
		{"*.example.org", "www.example.org:80", true},
		{"*.example.org", "a.b.example.org:80", true},
		{"*.example.org", "example.org:80", false},
		{"*.example.org", "wwwexample.org:80", false},
		{"*.example.org:443", "www.example.org:80", false},
		{"*", "anything.example:80", true},
		{"*:443", "anything.example:80", false},
		{"*", "93.184.215.14:80", true},
		{"*", "127.0.0.1:80", false},
		{"*", "[::ffff:93.184.215.14]:80", false},
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", false},
		{"127.0.0.1", "localhost:80", false},
		{"localhost", "127.0.0.1:80", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host r = rule(cases[i].rule), h;
		const char *why;

		assert_int_equal(host_parse(cases[i].host, &h, &why), 0);
		if (allow_host(&r, 1, &h) != cases[i].covers)
			fail_msg("rule %s, host %s", cases[i].rule, cases[i].host);
	}
}

static void test_only_public_addresses_are_public(void **state)
{
	static const char *const own[] = {
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
		"::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:20::1",
		"2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1",
	};
	static const char *const public[] = {
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.0.1",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:2800::1",
		"2a00:1450::1", "2001:4860:4860::8888",
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		assert_true(address_parse(own[i], &a));
		if (address_is_public(&a))
			fail_msg("%s is taken for public", own[i]);
		assert_false(allow_address(NULL, 0, &a, 80));
	}
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
		assert_true(address_parse(public[i], &a));
		if (!address_is_public(&a))
			fail_msg("%s is not taken for public", public[i]);
	}
}

static void test_an_address_that_is_not_public_is_opened_by_its_own_rule(void **state)
{
	const struct host rules[] = {rule("*"), rule("intranet.example"), rule("10.1.2.3:443")};
	struct address named, other;

	(void)state;
	assert_true(address_parse("10.1.2.3", &named) && address_parse("10.1.2.4", &other));
	assert_true(allow_address(rules, 3, &named, 443));
	assert_false(allow_address(rules, 3, &named, 80));
	assert_false(allow_address(rules, 3, &other, 443));
	assert_false(allow_address(rules, 2, &named, 443));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_read_in_one_way),
		cmocka_unit_test(test_other_spellings_are_no_hosts),
		cmocka_unit_test(test_a_rule_is_spelt_as_it_was_read),
		cmocka_unit_test(test_rules_cover_exactly_what_they_say),
		cmocka_unit_test(test_only_public_addresses_are_public),
		cmocka_unit_test(test_an_address_that_is_not_public_is_opened_by_its_own_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
