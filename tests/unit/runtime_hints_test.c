/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "tests.h"

static const char *hint_of(int step, int errnum, const char *object, const char *detail)
{
	struct nook_error e = NOOK_ERROR_INIT;

	(void)err_num(&e, step, object, errnum);
	if (detail)
		err_detail(&e, detail);
	return nook_error_hint(&e);
}

static void test_a_known_cause_has_a_hint(void **state)
{
	static const struct {
		int step, errnum;
		const char *object, *words;
	} cases[] = {
		{STEP_MOUNT, ENODEV, "/mnt", "/proc/filesystems"},
		{STEP_EXEC, ENOENT, "nosuch", "PATH"},
		{STEP_EXEC, ENOEXEC, "/bin/x", "another machine"},
		{STEP_CLONE, EAGAIN, "", "ulimit -u"},
		{STEP_LIMIT, EBUSY, "memory.max", "in use"},
		{STEP_SPAWN, ENOENT, "newuidmap", "uidmap"},
		{STEP_STATE, EROFS, "/run/nook", "--run"},
		{STEP_TARGET, EROFS, "/data", "read-only"},
		{STEP_SOURCE, EMFILE, "x", "ulimit -n"},
		{STEP_FILE, ENOSPC, "x", "df"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *hint = hint_of(cases[i].step, cases[i].errnum, cases[i].object, NULL);

		assert_non_null(hint);
		assert_non_null(strstr(hint, cases[i].words));
		assert_null(strchr(hint, '\n'));
	}
}

static void test_an_unknown_cause_has_none(void **state)
{
	(void)state;
	assert_null(hint_of(STEP_WAIT, EIO, "x", NULL));
	assert_null(hint_of(STEP_SPAWN, ENOENT, "some-program", NULL));
	assert_null(hint_of(999, EPERM, "", NULL));
}

static void test_words_of_object_or_detail_choose_the_special_case(void **state)
{
	(void)state;
	assert_non_null(strstr(hint_of(STEP_MOUNT, EBUSY, "/", "overlay: upperdir is in-use"), "another overlay"));
	assert_null(hint_of(STEP_MOUNT, EBUSY, "/", NULL));
	/* The message names the interpreter already. */
	assert_null(hint_of(STEP_EXEC, ENOENT, "/bin/x", "needs the interpreter \"/lib/ld\", which is not there"));
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	errno = E2BIG;
	(void)hint_of(STEP_CLONE, EPERM, "", NULL);
	(void)hint_of(STEP_IDMAP, EPERM, "", NULL);
	(void)hint_of(STEP_CGROUP, EACCES, "", NULL);
	assert_int_equal(errno, E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_known_cause_has_a_hint),
		cmocka_unit_test(test_an_unknown_cause_has_none),
		cmocka_unit_test(test_words_of_object_or_detail_choose_the_special_case),
		cmocka_unit_test(test_errno_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
