/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/landlock.h"
#include "tests.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_rules_are_parsed(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_landlock l = {0};

	(void)state;
	assert_int_equal(landlock_parse(a, "ro:/usr,rw:/work", &l, NULL), 0);
	assert_int_equal(landlock_parse(a, "ro:/", &l, NULL), 0);
	assert_int_equal(l.n_rules, 3);
	assert_string_equal(l.rules[0].path, "/usr");
	assert_false(l.rules[0].write);
	assert_string_equal(l.rules[1].path, "/work");
	assert_true(l.rules[1].write);
	assert_string_equal(l.rules[2].path, "/");
}

static void test_bad_rules_are_named(void **state)
{
	static const char *const bad[] = {"", "/usr", "ro:usr", "rx:/usr", "ro:/usr,rw:", "ro:/usr,,x"};
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_landlock l = {0};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(landlock_parse(a, bad[i], &l, &e), -EINVAL);
	(void)nook_error_text(&e, text, sizeof(text));
	assert_string_equal(text, "landlock \"x\": a rule is ro:/PATH or rw:/PATH");
}

static void test_each_abi_has_its_rights(void **state)
{
	(void)state;
	assert_int_equal(landlock_kernel_of(0).fs, 0);
	assert_int_equal(landlock_kernel_of(1).fs, 0x1fff);
	assert_int_equal(landlock_kernel_of(2).fs, 0x3fff);
	assert_int_equal(landlock_kernel_of(4).fs, 0x7fff);
	assert_int_equal(landlock_kernel_of(5).fs, 0xffff);
	assert_int_equal(landlock_kernel_of(5).scopes, 0);
	assert_int_equal(landlock_kernel_of(99).scopes, LANDLOCK_SCOPE_SOCKETS | LANDLOCK_SCOPE_SIGNALS);
	assert_int_equal(landlock_rights(0xffff, true), 0xffff);
	assert_int_equal(landlock_rights(0xffff, false),
		LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
}

static void test_what_cannot_be_enforced_is_an_error_unless_optional(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const struct landlock_kernel none = landlock_kernel_of(0), old = landlock_kernel_of(2);
	struct spec_landlock l = {0};

	(void)state;
	assert_int_equal(landlock_check(&none, &l, false, NULL), 1);
	assert_int_equal(landlock_check(&old, &l, true, NULL), -EOPNOTSUPP);
	assert_int_equal(landlock_parse(a, "ro:/", &l, NULL), 0);
	assert_int_equal(landlock_check(&none, &l, false, NULL), -EOPNOTSUPP);
	assert_int_equal(landlock_check(&old, &l, false, NULL), 0);
	l.optional = true;
	assert_int_equal(landlock_check(&none, &l, false, NULL), 1);
	assert_int_equal(landlock_check(&old, &l, true, NULL), 0);
}

/* 0, or the number of the first thing that is not as it should be. */
static int fenced(const char *readable, const char *writable)
{
	const struct landlock_kernel k = landlock_probe(NULL);
	auto_close int ruleset = landlock_ruleset(k.fs, k.scopes, NULL);
	auto_close int ro = open(readable, O_PATH | O_CLOEXEC), rw = open(writable, O_PATH | O_CLOEXEC);
	auto_close int file = open("/dev/null", O_PATH | O_CLOEXEC);
	char in_ro[256], in_rw[256];

	(void)snprintf(in_ro, sizeof(in_ro), "%s/f", readable);
	(void)snprintf(in_rw, sizeof(in_rw), "%s/f", writable);
	if (ruleset < 0 || landlock_allow(ruleset, ro, landlock_rights(k.fs, false), readable, NULL) < 0 ||
		landlock_allow(ruleset, rw, landlock_rights(k.fs, true), writable, NULL) < 0 ||
		landlock_allow(ruleset, file, landlock_rights(k.fs, true), "/dev/null", NULL) < 0)
		return 1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_enforce(ruleset, NULL) < 0)
		return 2;
	if (creat(in_rw, 0600) < 0 || unlink(in_rw) < 0)
		return 3;
	if (creat(in_ro, 0600) >= 0 || errno != EACCES)
		return 4;
	if (open(readable, O_RDONLY | O_DIRECTORY) < 0)
		return 5;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 6;
	if (open("/dev/null", O_RDWR) < 0)
		return 7;
	if (k.scopes && (kill(getppid(), 0) == 0 || errno != EPERM))
		return 8;
	return 0;
}

static void test_the_fence_holds(void **state)
{
	char readable[] = "/tmp/nook-test-ro-XXXXXX", writable[] = "/tmp/nook-test-rw-XXXXXX";
	int status = -1;
	pid_t pid;

	(void)state;
	if (!landlock_probe(NULL).abi)
		skip();
	assert_non_null(mkdtemp(readable));
	assert_non_null(mkdtemp(writable));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fenced(readable, writable));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)rmdir(readable);
	(void)rmdir(writable);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_are_parsed),
		cmocka_unit_test(test_bad_rules_are_named),
		cmocka_unit_test(test_each_abi_has_its_rights),
		cmocka_unit_test(test_what_cannot_be_enforced_is_an_error_unless_optional),
		cmocka_unit_test(test_the_fence_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
