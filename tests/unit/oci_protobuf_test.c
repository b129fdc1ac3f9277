/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/protobuf.h"
#include "tests.h"

static void test_what_is_put_comes_back(void **state)
{
	static const int64_t numbers[] = {0, 1, 127, 128, 300, INT32_MAX, INT64_MAX, -1};
	struct buf b = {0};
	struct pb_field f;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		pb_put_number(&b, 34, numbers[i]);
	pb_put_string(&b, 1, "text");
	pb_put_bytes(&b, 2, NULL, 0);
	struct pb_reader r = {.data = (const uint8_t *)b.data, .len = b.len};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		assert_true(pb_next(&r, &f));
		assert_int_equal(f.number, 34);
		assert_true(f.value == numbers[i]);
		assert_null(f.data);
	}
	assert_true(pb_next(&r, &f));
	assert_int_equal(f.len, 4);
	assert_memory_equal(f.data, "text", 4);
	assert_true(pb_next(&r, &f));
	assert_int_equal(f.len, 0);
	assert_false(pb_next(&r, &f));
	assert_false(r.bad);
	buf_done(&b);
}

static void test_bytes_as_protocol_buffers_have_them(void **state)
{
	struct buf b = {0};

	(void)state;
	/* The documentation's own examples. */
	pb_put_number(&b, 1, 150);
	pb_put_string(&b, 2, "testing");
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.data, "\x08\x96\x01\x12\x07testing", 12);
	buf_done(&b);
}

static void test_what_breaks_off_is_bad(void **state)
{
	static const char *const broken[] = {"\x08", "\x08\x96", "\x12\x05zzz", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x0b", "\x09\x01\x02"};
	struct pb_field f;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct pb_reader r = {.data = (const uint8_t *)broken[i], .len = strlen(broken[i])};

		assert_false(pb_next(&r, &f));
		assert_true(r.bad);
		assert_false(pb_next(&r, &f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_comes_back),
		cmocka_unit_test(test_bytes_as_protocol_buffers_have_them),
		cmocka_unit_test(test_what_breaks_off_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
