/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/procfd.h"

#include "base/fd.h"
#include "temp.h"

static void read_comm(int proc, char buf[64])
{
	auto_close int fd = procfd_path(proc, "self/comm", O_RDONLY, STEP_PROC, NULL);
	ssize_t n = fd_read(fd, buf, 63);

	assert_true(n > 0);
	buf[n] = 0;
}

static void test_open_gives_real_procfs(void **state)
{
	auto_close int proc = procfd_open(NULL), private = procfd_open_private(NULL);
	char a[64], b[64];

	(void)state;
	assert_true(proc >= 0 && private >= 0);
	assert_int_equal(procfd_check(proc), 0);
	assert_int_equal(procfd_check(private), 0);
	read_comm(proc, a);
	read_comm(private, b);
	assert_string_equal(a, b);
}

static void test_check_knows_other_file_systems(void **state)
{
	struct temp *t = *state;

	assert_int_equal(procfd_check(t->dir), -EXDEV);
}

static void test_path_stays_below_and_takes_no_magic_link(void **state)
{
	auto_close int proc = procfd_open(NULL);

	(void)state;
	assert_int_equal(procfd_path(proc, "../etc/passwd", O_RDONLY, STEP_PROC, NULL), -EXDEV);
	assert_int_equal(procfd_path(proc, "/etc/passwd", O_RDONLY, STEP_PROC, NULL), -EXDEV);
	assert_int_equal(procfd_path(proc, "self/cwd", O_PATH | O_DIRECTORY, STEP_PROC, NULL), -ELOOP);
}

static void test_write_reaches_the_file(void **state)
{
	auto_close int proc = procfd_open(NULL);
	struct nook_error e = NOOK_ERROR_INIT;
	char now[64];

	(void)state;
	assert_int_equal(procfd_write(proc, "self/comm", "renamed", STEP_PROC, NULL), 0);
	read_comm(proc, now);
	assert_string_equal(now, "renamed\n");
	assert_int_equal(procfd_write(proc, "self/no-such", "x", STEP_SYSCTL, &e), -ENOENT);
	assert_int_equal(e.step, STEP_SYSCTL);
	assert_string_equal(e.object, "self/no-such");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_gives_real_procfs),
		temp_test(test_check_knows_other_file_systems),
		cmocka_unit_test(test_path_stays_below_and_takes_no_magic_link),
		cmocka_unit_test(test_write_reaches_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
