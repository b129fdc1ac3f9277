/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"
#include "tests.h"

static void test_lists_that_grow_end_with_null(void **state)
{
	struct arena *a = arena_new();
	const char **list = NULL;
	size_t n = 0;

	(void)state;
	while (n < 70) {
		/* What the list is followed by in memory must not be taken for its end. */
		*arena_push(a, &list, &n) = "item";
		(void)memset(arena_alloc(a, 64), 'x', 64);
		for (size_t i = 0; i < n; i++)
			assert_string_equal(list[i], "item");
		assert_null(list[n]);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_that_grow_end_with_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
