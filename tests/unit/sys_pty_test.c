/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pty.h"
#include "temp.h"

#include <sys/ioctl.h>

static void test_slave_comes_from_the_master(void **state)
{
	auto_close int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int readable = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int master = pty_open_master(readable, NULL);
	auto_close int again = pty_open_master(pts, NULL);

	(void)state;
	if (master < 0 && faccessat(readable, "ptmx", R_OK | W_OK, AT_EACCESS) < 0)
		skip(); /* this devpts is mounted with ptmxmode=000 and we are not root */
	assert_true(master >= 0 && again >= 0);
	auto_close int slave = pty_open_slave(master, NULL);
	struct winsize size = {0};
	char name[32];
	struct stat a, b;

	assert_true(slave >= 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	assert_int_equal(stat(name, &a), 0);
	assert_int_equal(fstat(slave, &b), 0);
	assert_int_equal(a.st_rdev, b.st_rdev);
	assert_int_equal(pty_set_size(master, 40, 132, NULL), 0);
	assert_int_equal(pty_copy_size(slave, again, NULL), 0);
	assert_int_equal(ioctl(again, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_row, 40);
	assert_int_equal(size.ws_col, 132);
}

static void test_raw_mode_is_undone(void **state)
{
	auto_close int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int master = pty_open_master(pts, NULL);
	struct termios before, saved, now;

	(void)state;
	if (master < 0 && faccessat(pts, "ptmx", R_OK | W_OK, AT_EACCESS) < 0)
		skip();
	auto_close int slave = pty_open_slave(master, NULL);

	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_int_equal(pty_raw(slave, &saved, NULL), 0);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_false(now.c_lflag & (ICANON | ECHO | ISIG));
	pty_restore(slave, &saved);
	assert_int_equal(tcgetattr(slave, &now), 0);
	assert_int_equal(now.c_lflag, before.c_lflag);
	assert_int_equal(now.c_oflag, before.c_oflag);
}

static void test_refuses_a_directory_that_is_no_devpts(void **state)
{
	struct temp *t = *state;

	temp_write(t->dir, "ptmx", "");
	assert_int_equal(pty_open_master(t->dir, NULL), -EXDEV);
	assert_int_equal(pty_copy_size(t->dir, t->dir, NULL), -ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slave_comes_from_the_master),
		cmocka_unit_test(test_raw_mode_is_undone),
		temp_test(test_refuses_a_directory_that_is_no_devpts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
