/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/ago.h"
#include "tests.h"

static void test_spans_are_told_in_the_largest_unit(void **state)
{
	static const struct {
		int64_t seconds;
		const char *words;
	} rows[] = {
		{0, "Less than a second"}, {1, "1 second"},       {59, "59 seconds"},   {60, "About a minute"}, {119, "About a minute"},
		{120, "2 minutes"},        {3599, "59 minutes"},  {3600, "About an hour"}, {7200, "2 hours"},  {172799, "47 hours"},
		{172800, "2 days"},        {1209600, "2 weeks"},  {5184000, "2 months"}, {63072000, "2 years"},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ago_span(a, rows[i].seconds * 1000000000), rows[i].words);
	/* The clock was set back. */
	assert_string_equal(ago_span(a, -5), "Less than a second");
	assert_string_equal(ago_span(a, INT64_MIN), "Less than a second");
}

static void test_stamps_are_rfc_3339(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	assert_null(ago_stamp(a, 0));
	assert_string_equal(ago_stamp(a, 1000000000), "1970-01-01T00:00:01.000000000Z");
	assert_string_equal(ago_stamp(a, 1769860800123456789), "2026-01-31T12:00:00.123456789Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans_are_told_in_the_largest_unit),
		cmocka_unit_test(test_stamps_are_rfc_3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
