/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/label.h"
#include "tests.h"

static const char current[] = "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023";

static void expect(const char *const *options, const char *process, const char *files)
{
	struct arena *a = arena_new();
	struct label l = {0};

	for (; *options; options++)
		assert_int_equal(label_option(a, current, *options, &l, NULL), 0);
	if (process)
		assert_string_equal(l.process, process);
	else
		assert_null(l.process);
	if (files)
		assert_string_equal(l.files, files);
	else
		assert_null(l.files);
	arena_free(a);
}

static void test_a_whole_context_is_taken_as_it_is(void **state)
{
	(void)state;
	expect((const char *const[]){"system_u:system_r:container_t:s0:c1,c2", NULL}, "system_u:system_r:container_t:s0:c1,c2", NULL);
	expect((const char *const[]){"u:r:t", NULL}, "u:r:t", NULL);
}

static void test_parts_change_the_callers_context(void **state)
{
	(void)state;
	expect((const char *const[]){"type:container_t", NULL}, "unconfined_u:unconfined_r:container_t:s0-s0:c0.c1023", NULL);
	expect((const char *const[]){"user:system_u", "role:system_r", "type:container_t", "level:s0:c1,c2", NULL},
		"system_u:system_r:container_t:s0:c1,c2", NULL);
}

static void test_files_have_the_level_of_the_processes(void **state)
{
	(void)state;
	expect((const char *const[]){"level:s0:c3", "filetype:container_file_t", NULL},
		"unconfined_u:unconfined_r:unconfined_t:s0:c3", "system_u:object_r:container_file_t:s0:c3");
	expect((const char *const[]){"filetype:container_file_t", "level:s0:c3", NULL},
		"unconfined_u:unconfined_r:unconfined_t:s0:c3", "system_u:object_r:container_file_t:s0:c3");
}

static void test_disable_takes_everything_back(void **state)
{
	(void)state;
	expect((const char *const[]){"type:container_t", "filetype:x_t", "disable", NULL}, NULL, NULL);
}

static void test_what_is_no_label_is_refused(void **state)
{
	static const char *const bad[] = {"", "container_t", "type:", "filetype:", "a:b", "types:x", NULL};
	struct arena *a = arena_new();

	(void)state;
	for (const char *const *text = bad; *text; text++) {
		struct nook_error e = NOOK_ERROR_INIT;
		struct label l = {0};

		assert_int_equal(label_option(a, current, *text, &l, &e), -EINVAL);
		assert_null(l.process);
		assert_non_null(strstr(e.detail, "neither a context nor"));
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_context_is_taken_as_it_is),
		cmocka_unit_test(test_parts_change_the_callers_context),
		cmocka_unit_test(test_files_have_the_level_of_the_processes),
		cmocka_unit_test(test_disable_takes_everything_back),
		cmocka_unit_test(test_what_is_no_label_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
