/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"
#include "base/fd.h"
#include "security/lsm.h"
#include "sys/procfd.h"
#include "tests.h"

#include <stdio.h>
#include <sys/stat.h>

static void test_a_label_without_its_module_is_an_error(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	char text[512];

	(void)state;
	assert_int_equal(lsm_check(0, NULL, NULL, NULL), 0);
	assert_int_equal(lsm_check(0, "unconfined", NULL, NULL), 0);
	assert_int_equal(lsm_check(1U << LSM_APPARMOR, "web", NULL, NULL), 0);
	assert_int_equal(lsm_check(1U << LSM_SELINUX, NULL, "a:b:c", NULL), 0);
	assert_int_equal(lsm_check(1U << LSM_SELINUX, "web", NULL, &e), -EOPNOTSUPP);
	(void)nook_error_text(&e, text, sizeof(text));
	assert_string_equal(text, "security label \"web\": AppArmor is not active on this kernel");
	assert_int_equal(lsm_check(1U << LSM_APPARMOR, NULL, "a:b:c", &e), -EOPNOTSUPP);
	(void)nook_error_text(&e, text, sizeof(text));
	assert_string_equal(text, "security label \"a:b:c\": SELinux is not active on this kernel");
}

/* A directory that looks like /proc, so that what is written can be read. */
static int fake_proc(char *dir, bool with_apparmor)
{
	static const char *const dirs[] = {"thread-self", "thread-self/attr", "thread-self/attr/apparmor"};
	static const char *const files[] = {"thread-self/attr/exec", "thread-self/attr/keycreate",
		"thread-self/attr/fscreate", "thread-self/attr/apparmor/exec"};
	int proc;

	assert_non_null(mkdtemp(dir));
	proc = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(proc >= 0);
	for (size_t i = 0; i < (with_apparmor ? 3 : 2); i++)
		assert_int_equal(mkdirat(proc, dirs[i], 0700), 0);
	for (size_t i = 0; i < (with_apparmor ? 4 : 3); i++) {
		int fd = openat(proc, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		(void)close(fd);
	}
	return proc;
}

static void expect_file(int proc, const char *name, const char *text)
{
	AUTO_VALUE(buf_done) struct buf b = {0};

	assert_int_equal(file_read(proc, name, 8192, &b, NULL), 0);
	assert_string_equal(buf_text(&b), text);
}

static void test_labels_are_written_where_the_kernel_wants_them(void **state)
{
	char dir[] = "/tmp/nook-test-lsm-XXXXXX";
	auto_close int proc = fake_proc(dir, true);

	(void)state;
	assert_int_equal(lsm_apparmor_exec(proc, "web", NULL), 0);
	expect_file(proc, "thread-self/attr/apparmor/exec", "exec web");
	expect_file(proc, "thread-self/attr/exec", "");
	assert_int_equal(lsm_selinux_exec(proc, "u:r:t:s0", NULL), 0);
	assert_int_equal(lsm_selinux_keys(proc, "u:r:k:s0", NULL), 0);
	expect_file(proc, "thread-self/attr/exec", "u:r:t:s0");
	expect_file(proc, "thread-self/attr/keycreate", "u:r:k:s0");
	assert_int_equal(tree_remove(AT_FDCWD, dir, NULL), 0);
}

static void test_apparmor_of_an_older_kernel(void **state)
{
	char dir[] = "/tmp/nook-test-lsm-XXXXXX";
	auto_close int proc = fake_proc(dir, false);
	struct nook_error e = NOOK_ERROR_INIT;
	auto_free char *huge = xcalloc(1, 8192);
	char text[512];

	(void)state;
	assert_int_equal(lsm_apparmor_exec(proc, "web", NULL), 0);
	expect_file(proc, "thread-self/attr/exec", "exec web");
	assert_int_equal(lsm_apparmor_exec(proc, memset(huge, 'x', 8191), NULL), -ENAMETOOLONG);
	assert_int_equal(unlinkat(proc, "thread-self/attr/exec", 0), 0);
	assert_int_equal(lsm_apparmor_exec(proc, "web", &e), -ENOENT);
	(void)nook_error_text(&e, text, sizeof(text));
	assert_string_equal(
		text, "security label \"web\": no such AppArmor profile is loaded: No such file or directory");
	assert_int_equal(tree_remove(AT_FDCWD, dir, NULL), 0);
}

static void test_a_link_to_elsewhere_is_not_written_through(void **state)
{
	char dir[] = "/tmp/nook-test-lsm-XXXXXX";
	auto_close int proc = fake_proc(dir, false);

	(void)state;
	assert_int_equal(unlinkat(proc, "thread-self/attr/exec", 0), 0);
	assert_int_equal(symlinkat("/dev/null", proc, "thread-self/attr/exec"), 0);
	assert_int_equal(lsm_selinux_exec(proc, "u:r:t:s0", NULL), -EXDEV);
	assert_int_equal(tree_remove(AT_FDCWD, dir, NULL), 0);
}

static void test_the_real_proc_refuses_without_a_module(void **state)
{
	auto_close int proc = procfd_open(NULL);
	unsigned active = lsm_active();

	(void)state;
	assert_true(proc >= 0);
	if (!(active & (1U << LSM_APPARMOR | 1U << LSM_SELINUX | 1U << LSM_SMACK)))
		assert_true(lsm_selinux_exec(proc, "u:r:t:s0", NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_label_without_its_module_is_an_error),
		cmocka_unit_test(test_labels_are_written_where_the_kernel_wants_them),
		cmocka_unit_test(test_apparmor_of_an_older_kernel),
		cmocka_unit_test(test_a_link_to_elsewhere_is_not_written_through),
		cmocka_unit_test(test_the_real_proc_refuses_without_a_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
