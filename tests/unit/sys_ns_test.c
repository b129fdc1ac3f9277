/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/ns.h"
#include "tests.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

static void test_links_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"", "net", "net:", "net:[", "net:[]", "net:[1", "net:[1]x", "net:[-1]", "net:[ 1]", "net:1", "bad:[1]",
		"pid_for_children:[1]", "net:[99999999999999999999999]", "net:[18446744073709551616]", "/dev/null",
	};
	const struct ns_type *type = NULL;
	uint64_t inode = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ns_parse_link(bad[i], &type, &inode), -EINVAL);
	assert_null(type);
	assert_int_equal(ns_parse_link("net:[4026531840]", &type, &inode), 0);
	assert_int_equal(type->flag, CLONE_NEWNET);
	assert_int_equal(inode, 4026531840U);
}

static void test_types_are_found_by_name_and_flag(void **state)
{
	(void)state;
	for (size_t i = 0; i < NS_TYPES; i++) {
		assert_ptr_equal(ns_type_by_name(ns_types[i].name, strlen(ns_types[i].name)), &ns_types[i]);
		assert_ptr_equal(ns_type_by_flag(ns_types[i].flag), &ns_types[i]);
	}
	assert_null(ns_type_by_name("netx", 4));
	assert_string_equal(ns_type_by_name("netx", 3)->name, "net");
	assert_null(ns_type_by_flag(0));
}

static void test_open_takes_namespaces_and_nothing_else(void **state)
{
	char fifo[] = "/tmp/nook-test-XXXXXX";
	struct nook_error e = NOOK_ERROR_INIT;
	int fd = ns_open(AT_FDCWD, "/proc/self/ns/uts", &e);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ns_flag(fd), CLONE_NEWUTS);
	(void)close(fd);
	assert_int_equal(ns_open(AT_FDCWD, "/proc/self/status", &e), -EINVAL);
	assert_string_equal(e.detail, "this is not a namespace");
	assert_int_equal(ns_open(AT_FDCWD, "/dev/zero", &e), -EINVAL);
	assert_int_equal(ns_open(AT_FDCWD, "/proc/self/ns/none", &e), -ENOENT);
	assert_int_equal(e.step, STEP_NAMESPACE);
	/* Nor does a FIFO without a writer hold us up. */
	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(ns_open(AT_FDCWD, fifo, &e), -EINVAL);
	assert_int_equal(unlink(fifo), 0);
}

static void test_owner_of_our_own(void **state)
{
	int fd = ns_open(AT_FDCWD, "/proc/self/ns/uts", NULL), owner = ns_owner(fd);

	(void)state;
	/* The owner may lie outside of our view, when tests run in a container. */
	assert_true(owner >= 0 || owner == -EPERM);
	if (owner >= 0)
		assert_int_equal(ns_flag(owner), CLONE_NEWUSER);
	(void)close(fd);
	if (owner >= 0)
		(void)close(owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_are_read_strictly),
		cmocka_unit_test(test_types_are_found_by_name_and_flag),
		cmocka_unit_test(test_open_takes_namespaces_and_nothing_else),
		cmocka_unit_test(test_owner_of_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
