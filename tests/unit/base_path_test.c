/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"
#include "tests.h"

static void test_clean_walks_as_the_kernel_would(void **state)
{
	static const char *const paths[][2] = {
		{"/", "/"}, {"//", "/"}, {"/.", "/"}, {"/..", "/"}, {"/../../a", "/a"}, {"/a/", "/a"}, {"/a//b", "/a/b"},
		{"/a/./b/.", "/a/b"}, {"/a/../b", "/b"}, {"/a/b/../../c", "/c"}, {"/a/..", "/"}, {"/.a/..b/...", "/.a/..b/..."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char path[32];

		(void)strcpy(path, paths[i][0]);
		path_clean(path);
		assert_string_equal(path, paths[i][1]);
	}
}

static void test_below_knows_whole_names_only(void **state)
{
	(void)state;
	assert_string_equal(path_below("/usr/lib/x", "/usr"), "lib/x");
	assert_string_equal(path_below("/usr", "/usr"), "");
	assert_null(path_below("/usrx", "/usr"));
	assert_null(path_below("/us", "/usr"));
	assert_string_equal(path_below("/usr", "/"), "usr");
	assert_string_equal(path_below("/", "/"), "");
	assert_string_equal(path_below("/usr/lib", "/usr/"), "lib");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_walks_as_the_kernel_would),
		cmocka_unit_test(test_below_knows_whole_names_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
