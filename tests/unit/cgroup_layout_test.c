/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup_machine.h"

static const struct cgroup_hierarchy *of(const struct cgroup_layout *l, enum cgroup_controller c)
{
	int i = cgroup_layout_find(l, c);

	assert_true(i >= 0);
	return &l->h[i];
}

static void test_v2_alone(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	machine_v2(m, "cgroup", "/user.slice/session", "cpuset cpu io memory pids\n");
	l = machine_layout(m);
	assert_int_equal(l.v2, 0);
	assert_false(l.hybrid);
	assert_string_equal(l.h[0].mount, machine_path(m, "cgroup"));
	assert_string_equal(l.h[0].self, machine_path(m, "cgroup/user.slice/session"));
	assert_true(of(&l, CGROUP_BLKIO)->v2);
	assert_int_equal(cgroup_layout_find(&l, CGROUP_DEVICES), -1);
}

static void test_v1_alone_with_controllers_together(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	machine_v1(m, "cpu,cpuacct", "/", "/");
	machine_v1(m, "net_cls,net_prio", "/", "/");
	machine_v1(m, "memory", "/box", "/");
	machine_v1(m, "name=systemd", "/", "/");
	l = machine_layout(m);
	assert_int_equal(l.v2, -1);
	assert_false(l.hybrid);
	assert_ptr_equal(of(&l, CGROUP_CPU), of(&l, CGROUP_CPUACCT));
	assert_ptr_equal(of(&l, CGROUP_NET_CLS), of(&l, CGROUP_NET_PRIO));
	assert_string_equal(of(&l, CGROUP_CPU)->list, "cpu,cpuacct");
	assert_string_equal(of(&l, CGROUP_MEMORY)->self, machine_path(m, "cgroup/memory/box"));
	assert_int_equal(l.h[3].controllers, 0);
}

static void test_hybrid(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	machine_v1(m, "memory", "/", "/");
	machine_v1(m, "pids", "/", "/");
	machine_v2(m, "cgroup/unified", "/", "hugetlb\n");
	l = machine_layout(m);
	assert_true(l.hybrid);
	assert_int_equal(l.v2, 2);
	assert_false(of(&l, CGROUP_PIDS)->v2);
	assert_true(of(&l, CGROUP_HUGETLB)->v2);
	assert_int_equal(cgroup_layout_spare(&l), 1U << CGROUP_NET_CLS);
}

/* A named hierarchy holds no controllers: systemd's own tree beside v2 is not hybrid. */
static void test_v2_beside_a_named_hierarchy_is_not_hybrid(void **state)
{
	struct machine *m = *state;

	machine_v1(m, "name=systemd", "/", "/");
	machine_v2(m, "cgroup/unified", "/", "cpu\n");
	assert_false(machine_layout(m).hybrid);
}

static void test_a_container_sees_its_own_part(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	machine_v1(m, "memory", "/docker/abc", "/docker/abc");
	machine_v1(m, "pids", "/docker/abc/sub", "/docker/abc");
	machine_v1(m, "cpu", "/docker/abc", "/../..");
	machine_v1(m, "freezer", "/docker/abcdef", "/docker/abc");
	l = machine_layout(m);
	assert_string_equal(of(&l, CGROUP_MEMORY)->self, machine_path(m, "cgroup/memory"));
	assert_string_equal(of(&l, CGROUP_PIDS)->self, machine_path(m, "cgroup/pids/sub"));
	assert_null(of(&l, CGROUP_CPU)->self);
	assert_null(of(&l, CGROUP_FREEZER)->self);
}

static void test_nothing_mounted(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	buf_adds(&m->cgroup, "4:memory:/\n0::/\n");
	l = machine_layout(m);
	assert_int_equal(l.v2, -1);
	assert_false(l.hybrid);
	assert_null(of(&l, CGROUP_MEMORY)->mount);
	assert_int_equal(l.n, 2);
}

static void test_no_hierarchy_at_all(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l = machine_layout(m);

	assert_int_equal(l.n, 0);
	assert_int_equal(l.v2, -1);
}

/* As after `mount -t tmpfs x /sys/fs/cgroup`: the table still has the mounts below. */
static void test_a_hidden_v2_tree_does_not_count(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	machine_v1(m, "memory", "/", "/");
	buf_addf(&m->cgroup, "0::/\n");
	buf_addf(&m->mountinfo, "31 20 0:31 / %s/cgroup/hidden rw - cgroup2 cgroup2 rw\n", m->temp->path);
	l = machine_layout(m);
	assert_int_equal(l.v2, -1);
	assert_false(l.hybrid);
}

static void test_a_mount_in_sight_is_better_than_a_hidden_one(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	buf_addf(&m->mountinfo, "29 20 0:30 / %s/cgroup/gone rw - cgroup cgroup rw,memory\n", m->temp->path);
	machine_v1(m, "memory", "/", "/");
	l = machine_layout(m);
	assert_string_equal(of(&l, CGROUP_MEMORY)->mount, machine_path(m, "cgroup/memory"));
}

static void test_mount_points_are_unescaped(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;

	buf_adds(&m->cgroup, "4:memory:/\n");
	buf_adds(&m->mountinfo, "30 20 0:30 / /odd\\040name/\\134x ro,nosuid shared:3 - cgroup cgroup rw,memory\n");
	l = machine_layout(m);
	assert_string_equal(of(&l, CGROUP_MEMORY)->mount, "/odd name/\\x");
	assert_true(of(&l, CGROUP_MEMORY)->readonly);
}

static void test_other_lines_are_passed_over_and_bad_ones_named(void **state)
{
	struct machine *m = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout l;

	buf_adds(&m->mountinfo, "garbage\n22 27 0:21 / /proc rw - proc proc rw\n - \n1 - cgroup\n");
	buf_adds(&m->cgroup, "0::/\n");
	assert_int_equal(machine_read(m, &l, &e), 0);
	buf_adds(&m->cgroup, "nonsense\n");
	assert_int_equal(machine_read(m, &l, &e), -EINVAL);
	assert_non_null(strstr(e.detail, "NUMBER:CONTROLLERS:PATH"));
}

static void test_too_many_hierarchies_are_an_error(void **state)
{
	struct machine *m = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout l;

	for (int i = 0; i <= CGROUP_HIERARCHIES_MAX; i++)
		buf_addf(&m->cgroup, "%d:name=x%d:/\n", i + 1, i);
	assert_int_equal(machine_read(m, &l, &e), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v2_alone, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_v1_alone_with_controllers_together, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_hybrid, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_v2_beside_a_named_hierarchy_is_not_hybrid, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_a_container_sees_its_own_part, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_nothing_mounted, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_no_hierarchy_at_all, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_a_hidden_v2_tree_does_not_count, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_a_mount_in_sight_is_better_than_a_hidden_one, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_mount_points_are_unescaped, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_other_lines_are_passed_over_and_bad_ones_named, machine_make, machine_remove),
		cmocka_unit_test_setup_teardown(test_too_many_hierarchies_are_an_error, machine_make, machine_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
