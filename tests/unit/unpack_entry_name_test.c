/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests.h"
#include "unpack/entry_name.h"

static void test_cuts_names(void **state)
{
	static const struct {
		const char *name, *full, *dir, *last;
	} cases[] = {
		{"a", "a", "", "a"},
		{"/a", "a", "", "a"},
		{"a/b/c", "a/b/c", "a/b", "c"},
		{"./a//b/./", "a/b", "a", "b"},
		{".", "", "", ""},
		{"/", "", "", ""},
		{"./", "", "", ""},
		{"...", "...", "", "..."},
		{"a..b/..c", "a..b/..c", "a..b", "..c"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct entry_name n;

		assert_null(entry_name_parse(cases[i].name, 10, &n));
		assert_string_equal(n.full, cases[i].full);
		assert_string_equal(n.dir, cases[i].dir);
		assert_string_equal(n.last, cases[i].last);
	}
}

static void test_refuses(void **state)
{
	static const char *const names[] = {"", "..", "../a", "a/..", "a/../b", "/..", "1/2/3/4"};
	char longest[PATH_MAX + 2];
	struct entry_name n;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(entry_name_parse(names[i], 3, &n));
	memset(longest, 'x', sizeof(longest));
	longest[NAME_MAX] = 0;
	assert_null(entry_name_parse(longest, 3, &n));
	assert_int_equal(strlen(n.last), NAME_MAX);
	longest[NAME_MAX] = 'x';
	longest[NAME_MAX + 1] = 0;
	assert_non_null(entry_name_parse(longest, 3, &n));
	/* One byte of name in each component: 4095 bytes fit, one more does not. */
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '/' : 'x';
	longest[PATH_MAX - 1] = 0;
	assert_null(entry_name_parse(longest, 4096, &n));
	longest[PATH_MAX - 1] = '/';
	longest[PATH_MAX + 1] = 0;
	assert_non_null(entry_name_parse(longest, 4096, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts_names),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
