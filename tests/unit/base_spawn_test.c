/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spawn.h"
#include "tests.h"

#include <fcntl.h>
#include <unistd.h>

#include <stdlib.h>

static int run(struct spawn s, const char *const *argv, struct buf *out, struct nook_error *e)
{
	s.argv = argv;
	return spawn_run(&s, out, e);
}

static void test_output_and_status_come_back(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_int_equal(run((struct spawn){0}, (const char *[]){"sh", "-c", "echo out; echo err >&2; exit 3", NULL}, &out, NULL), 3);
	assert_non_null(strstr(buf_text(&out), "out\n"));
	assert_non_null(strstr(buf_text(&out), "err\n"));
	assert_int_equal(run((struct spawn){0}, (const char *[]){"sh", "-c", "kill -KILL $$", NULL}, &out, NULL), 128 + 9);
	buf_done(&out);
}

static void test_input_reaches_the_program(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_int_equal(run((struct spawn){.input = "hello", .input_len = 5}, (const char *[]){"cat", NULL}, &out, NULL), 0);
	assert_string_equal(buf_text(&out), "hello");
	buf_done(&out);
}

static void test_a_program_may_ignore_its_input(void **state)
{
	/* More than a pipe holds; the program is gone before it is written. */
	enum { SIZE = 1 << 20 };
	char *input = calloc(1, SIZE);
	struct buf out = {0};

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(run((struct spawn){.input = input, .input_len = SIZE}, (const char *[]){"true", NULL}, &out, NULL), 0);
	buf_done(&out);
	free(input);
}

static void test_a_program_has_no_descriptor_but_the_one_that_is_kept(void **state)
{
	int fds[] = {open("/", O_PATH), open("/dev", O_PATH), open("/proc", O_PATH)};
	const char *const look[] = {"sh", "-c", "for i in 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$i; done; exit 0", NULL};
	struct buf out = {0};

	(void)state;
	assert_int_equal(run((struct spawn){0}, look, &out, NULL), 0);
	assert_string_equal(buf_text(&out), "");
	assert_int_equal(run((struct spawn){.kept_fd = fds[1]}, look, &out, NULL), 0);
	assert_string_equal(buf_text(&out), "/dev\n");
	buf_done(&out);
	for (size_t i = 0; i < 3; i++)
		(void)close(fds[i]);
}

static void test_a_program_that_takes_too_long_is_killed(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct buf out = {0};

	(void)state;
	assert_int_equal(run((struct spawn){.timeout_ms = 50}, (const char *[]){"sleep", "60", NULL}, &out, &e), -ETIMEDOUT);
	assert_int_equal(e.step, STEP_SPAWN);
	assert_string_equal(e.object, "sleep");
	buf_done(&out);
}

static void test_a_missing_program_is_told_by_name(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	assert_int_equal(run((struct spawn){0}, (const char *[]){"no-such-program", NULL}, NULL, &e), -ENOENT);
	assert_string_equal(e.object, "no-such-program");
}

static void test_a_grandchild_that_keeps_the_pipe_does_not_hold_us(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_int_equal(run((struct spawn){.timeout_ms = 5000}, (const char *[]){"sh", "-c", "sleep 0.3 & echo done", NULL}, &out, NULL), 0);
	assert_string_equal(buf_text(&out), "done\n");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status_come_back),
		cmocka_unit_test(test_input_reaches_the_program),
		cmocka_unit_test(test_a_program_may_ignore_its_input),
		cmocka_unit_test(test_a_program_has_no_descriptor_but_the_one_that_is_kept),
		cmocka_unit_test(test_a_program_that_takes_too_long_is_killed),
		cmocka_unit_test(test_a_missing_program_is_told_by_name),
		cmocka_unit_test(test_a_grandchild_that_keeps_the_pipe_does_not_hold_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
