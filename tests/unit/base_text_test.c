/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "tests.h"

static void test_bytes_takes_units_of_1024(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(text_bytes("512m", &v), 0);
	assert_int_equal(v, 512U << 20);
	assert_int_equal(text_bytes("1GiB", &v), 0);
	assert_int_equal(v, 1U << 30);
	assert_int_equal(text_bytes("4096", &v), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(text_bytes("1x", &v), -EINVAL);
	assert_int_equal(text_bytes("", &v), -EINVAL);
	assert_int_equal(text_bytes("99999999999p", &v), -ERANGE);
}

static void test_numbers_take_nothing_but_the_whole_text(void **state)
{
	uint32_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_int_equal(text_u32("4294967296", &u), -ERANGE);
	assert_int_equal(text_u32(" 1", &u), -EINVAL);
	assert_int_equal(text_u32("1 ", &u), -EINVAL);
	assert_int_equal(text_u32("-1", &u), -EINVAL);
	assert_int_equal(u, 7);
	assert_int_equal(text_i64("-12", &i), 0);
	assert_int_equal(i, -12);
}

static void test_duration_adds_its_parts(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(text_duration("1h30m", &ns), 0);
	assert_int_equal(ns, 5400LL * 1000000000);
	assert_int_equal(text_duration("-100d", &ns), 0);
	assert_int_equal(ns, -8640000LL * 1000000000);
	assert_int_equal(text_duration("10", &ns), 0);
	assert_int_equal(ns, 10LL * 1000000000);
	assert_int_equal(text_duration("5x", &ns), -EINVAL);
}

static void test_micros_reads_fractions(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(text_micros("0.5", &v), 0);
	assert_int_equal(v, 500000);
	assert_int_equal(text_micros("2", &v), 0);
	assert_int_equal(v, 2000000);
	assert_int_equal(text_micros("1.", &v), -EINVAL);
}

static void test_bits_takes_lists_of_numbers(void **state)
{
	static const char *const wrong[] = {"", ",", "1,", "1-", "-1", "2-1", "a", "1 2", "1,,2"};
	uint64_t bits[2];

	(void)state;
	assert_int_equal(text_bits("0-3,7,64", bits, 2), 0);
	assert_int_equal(bits[0], 0x8f);
	assert_int_equal(bits[1], 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(text_bits(wrong[i], bits, 2), -EINVAL);
	assert_int_equal(text_bits("128", bits, 2), -ERANGE);
	assert_int_equal(text_bits("0-99999999999999999999", bits, 2), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_takes_units_of_1024),
		cmocka_unit_test(test_numbers_take_nothing_but_the_whole_text),
		cmocka_unit_test(test_duration_adds_its_parts),
		cmocka_unit_test(test_micros_reads_fractions),
		cmocka_unit_test(test_bits_takes_lists_of_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
