/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/tar.h"
#include "temp.h"

static void test_what_is_no_archive_file_is_said_before_anything_runs(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/none.tar", t->path);
	assert_int_equal(tar_unpack(path, t->dir, &e), -ENOENT);
	assert_int_equal(e.step, STEP_SOURCE);
	assert_string_equal(e.object, path);
	assert_int_equal(tar_unpack(t->path, t->dir, &e), -EISDIR);
	assert_int_equal(mkfifoat(t->dir, "fifo", 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/fifo", t->path);
	assert_int_equal(tar_unpack(path, t->dir, &e), -EINVAL);
	assert_int_equal(e.step, STEP_SOURCE);
}

static void test_helpers_are_found_beside_the_program(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	char self[512], path[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(n > 0);
	self[n] = 0;
	assert_int_equal(helper_find(strrchr(self, '/') + 1, path, sizeof(path), &e), 0);
	assert_string_equal(path, self);
	assert_int_equal(helper_find("nook-no-such-helper", path, sizeof(path), &e), -ENOENT);
	assert_int_equal(e.step, STEP_SPAWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_what_is_no_archive_file_is_said_before_anything_runs),
		cmocka_unit_test(test_helpers_are_found_beside_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
