/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/signals.h"
#include "tests.h"

#include <signal.h>

static void test_names_and_numbers_are_the_same_signal(void **state)
{
	(void)state;
	assert_int_equal(signal_parse("TERM", NULL), SIGTERM);
	assert_int_equal(signal_parse("SIGTERM", NULL), SIGTERM);
	assert_int_equal(signal_parse("sigterm", NULL), SIGTERM);
	assert_int_equal(signal_parse("15", NULL), SIGTERM);
	assert_int_equal(signal_parse("0", NULL), 0);
	assert_int_equal(signal_parse("SIGIOT", NULL), SIGABRT);
}

static void test_realtime_signals_count_from_both_ends(void **state)
{
	(void)state;
	assert_int_equal(signal_parse("RTMIN", NULL), SIGRTMIN);
	assert_int_equal(signal_parse("SIGRTMIN+3", NULL), SIGRTMIN + 3);
	assert_int_equal(signal_parse("rtmax-1", NULL), SIGRTMAX - 1);
	assert_int_equal(signal_parse("RTMIN+30", NULL), SIGRTMAX);
}

static void test_what_is_no_signal_is_refused(void **state)
{
	static const char *const wrong[] = {"", "SIG", "65", "-9", "9 ", "KILLL", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "4294967305"};
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(signal_parse(wrong[i], &e), -EINVAL);
		assert_string_equal(e.object, wrong[i]);
	}
}

static void test_every_name_that_the_system_has_is_known(void **state)
{
	(void)state;
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigabbrev_np(i))
			assert_int_equal(signal_parse(sigabbrev_np(i), NULL), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_numbers_are_the_same_signal),
		cmocka_unit_test(test_realtime_signals_count_from_both_ends),
		cmocka_unit_test(test_what_is_no_signal_is_refused),
		cmocka_unit_test(test_every_name_that_the_system_has_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
