/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/digest.h"
#include "tests.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_only_known_algorithms_and_lower_case_digits(void **state)
{
	assert_true(digest_is_valid("sha256:" HEX));
	assert_true(digest_is_valid("sha512:" HEX HEX));
	assert_false(digest_is_valid("sha512:" HEX));
	assert_false(digest_is_valid("sha256:" HEX "0"));
	assert_false(digest_is_valid("sha256"));
	assert_false(digest_is_valid("sha256:../" HEX));
	assert_false(digest_is_valid("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
	assert_false(digest_is_valid("md5:" HEX));
	assert_false(digest_is_valid(""));
	assert_false(digest_is_valid(NULL));
}

static void test_text_of_bytes_and_back(void **state)
{
	const unsigned char bytes[64] = {0x01, 0x23, 0xff};
	char text[DIGEST_TEXT_MAX];

	digest_text(DIGEST_SHA512, bytes, text);
	assert_true(digest_is_valid(text));
	assert_int_equal(digest_algorithm(text), DIGEST_SHA512);
	assert_memory_equal(digest_hex(text), "0123ff00", 8);
}

static void test_tag_of_referrers_has_at_most_64_digits(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();

	assert_string_equal(digest_referrers_tag("sha256:" HEX, a), "sha256-" HEX);
	assert_string_equal(digest_referrers_tag("sha512:" HEX HEX, a), "sha512-" HEX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_known_algorithms_and_lower_case_digits),
		cmocka_unit_test(test_text_of_bytes_and_back),
		cmocka_unit_test(test_tag_of_referrers_has_at_most_64_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
