/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pid.h"
#include "sys/procfd.h"
#include "tests.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void test_start_time_is_field_22_whatever_the_name(void **state)
{
	static const char *const tail = " S 1 2 3 0 -1 4194560 1 0 0 0 11 12 0 0 20 0 1 0 987654321 1 2 3\n";
	static const char *const names[] = {"sh", ") R 9 9 9 9 9 9 (", "a b", "((", "))", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pid_stat st;
		char text[256];

		(void)snprintf(text, sizeof(text), "42 (%s)%s", names[i], tail);
		assert_int_equal(pid_stat_parse(text, &st), 0);
		assert_string_equal(st.comm, names[i]);
		assert_int_equal(st.state, 'S');
		assert_int_equal(st.parent, 1);
		assert_int_equal(st.session, 3);
		assert_int_equal(st.user_ticks, 11);
		assert_int_equal(st.start, 987654321);
	}
}

static void test_damaged_stat_is_refused(void **state)
{
	static const char *const texts[] = {"", "1", "1 (a", "1 )a(", "1 (a)", "1 (a) S", "1 (a) S 1 2 3", "1 (a) S x 2"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pid_stat st;

		assert_int_equal(pid_stat_parse(texts[i], &st), -EINVAL);
	}
}

static void test_opens_only_the_process_that_was_meant(void **state)
{
	auto_close int proc = procfd_open(NULL);
	uint64_t start = 0;
	int pipes[2], fd;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		(void)close(pipes[1]);
		_exit(read(pipes[0], &c, 1) == 0 ? 7 : 1);
	}
	assert_int_equal(pid_start_time(proc, pid, &start), 0);
	assert_int_equal(pid_open(proc, pid, start + 1, NULL), -ESRCH);
	fd = pid_open(proc, pid, start, NULL);
	assert_true(fd >= 0);
	assert_false(pid_has_ended(fd));
	assert_int_equal(pid_wait_end(fd, 0, NULL), -ETIMEDOUT);
	assert_int_equal(close(pipes[1]), 0);
	assert_int_equal(pid_wait_end(fd, 10000, NULL), 0);
	assert_true(pid_has_ended(fd));
	assert_int_equal(pid_reap(fd, NULL), 7);
	assert_int_equal(pid_signal(fd, SIGTERM, NULL), -ESRCH);
	assert_int_equal(pid_start_time(proc, pid, &start), -ESRCH);
	assert_int_equal(pid_open(proc, pid, start, NULL), -ESRCH);
	assert_int_equal(pid_open(proc, 0, 0, NULL), -ESRCH);
	assert_int_equal(pid_open(proc, -1, 0, NULL), -ESRCH);
	(void)close(fd);
	(void)close(pipes[0]);
}

static void test_reap_tells_signals(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	pid_t pid = fork();
	int fd;

	(void)state;
	if (pid == 0)
		for (;;)
			(void)pause();
	fd = pid_open_child(pid, &e);
	assert_true(fd >= 0);
	assert_int_equal(pid_signal(fd, SIGKILL, &e), 0);
	assert_int_equal(pid_reap(fd, &e), 128 + SIGKILL);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_time_is_field_22_whatever_the_name),
		cmocka_unit_test(test_damaged_stat_is_refused),
		cmocka_unit_test(test_opens_only_the_process_that_was_meant),
		cmocka_unit_test(test_reap_tells_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
