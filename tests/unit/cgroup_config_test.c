/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/config.h"
#include "tests.h"

static const char example[] =
	"# a comment\n"
	"mount { cpu = /sys/fs/cgroup/cpu; \"name=x\" = /mnt; }\n"
	"group lab/a {\n"
	"  perm { admin { uid = root; gid = adm; } task { uid = 1000; gid = users; fperm = 660; } }\n"
	"  cpu { cpu.shares = \"512\"; cpu.cfs_quota_us=-1; }\n"
	"  memory { }\n"
	"  blkio { blkio.throttle.read_bps_device = \"8:0 1\n8:16 2\"; }\n"
	"}\n"
	"group \"with blank\" { pids { pids.max = max; } } # end\n";

static struct config_file parse(struct arena *a, const char *text)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct config_file f;

	if (config_parse(a, "test", text, &f, &e) < 0)
		fail_msg("%s", e.detail);
	return f;
}

static void test_what_cgconfig_conf_says(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct config_file f = parse(a, example);

	(void)state;
	assert_int_equal(f.n, 2);
	assert_string_equal(f.groups[0].name, "lab/a");
	assert_int_equal(f.groups[0].n, 3);
	assert_string_equal(f.groups[0].perm.admin_gid, "adm");
	assert_string_equal(f.groups[0].perm.task_uid, "1000");
	assert_string_equal(f.groups[0].controllers[0].values[1].file, "cpu.cfs_quota_us");
	assert_string_equal(f.groups[0].controllers[0].values[1].value, "-1");
	assert_int_equal(f.groups[0].controllers[1].n, 0);
	assert_string_equal(f.groups[0].controllers[2].values[0].value, "8:0 1\n8:16 2");
	assert_string_equal(f.groups[1].name, "with blank");
}

static void test_what_is_printed_reads_the_same(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf first = {0}, second = {0};
	struct config_file f = parse(a, example);

	(void)state;
	config_print(&f, &first);
	f = parse(a, first.data);
	config_print(&f, &second);
	assert_string_equal(first.data, second.data);
	assert_non_null(strstr(first.data, "group \"with blank\" {"));
}

static void test_mistakes_are_told_with_their_line(void **state)
{
	static const char *const bad[][2] = {
		{"group a {\ncpu {\ncpu.shares 5;\n}\n}", "line 3: \"=\" is missing before \"5\""},
		{"group a {\ncpu { cpu.shares = 5 }\n}", "line 2: \";\" is missing"},
		{"group a {\n", "line 2: the name of a controller is missing"},
		{"group {", "line 1: a group has no name"},
		{"nonsense", "\"nonsense\" is none of group, mount, namespace"},
		{"group \"a", "a quoted text has no end"},
		{"group a { perm { other { } } }", "only task and admin"},
		{"group a { perm { task { x = 1; } } }", "only uid, gid"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		struct nook_error e = NOOK_ERROR_INIT;
		struct config_file f;

		assert_int_equal(config_parse(a, "test", bad[i][0], &f, &e), -EINVAL);
		assert_non_null(strstr(e.detail, bad[i][1]));
	}
}

static void test_nothing_is_no_groups(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	assert_int_equal(parse(a, "").n, 0);
	assert_int_equal(parse(a, "# only\n\n#comments").n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cgconfig_conf_says),
		cmocka_unit_test(test_what_is_printed_reads_the_same),
		cmocka_unit_test(test_mistakes_are_told_with_their_line),
		cmocka_unit_test(test_nothing_is_no_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
