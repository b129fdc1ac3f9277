/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/named.h"
#include "cgroup_machine.h"

static int make(struct machine *m, const char *path, const char *mount, const char *prepare, struct nook_error *e)
{
	int fd = cgroup_dir_make(machine_path(m, path), machine_path(m, mount), prepare, e);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}

static void test_directories_above_are_made(void **state)
{
	struct machine *m = *state;
	struct stat st;

	machine_v1(m, "pids", "/", "/");
	assert_int_equal(make(m, "cgroup/pids/a//b/c", "cgroup/pids", "", NULL), 0);
	assert_int_equal(stat(machine_path(m, "cgroup/pids/a/b/c"), &st), 0);
}

static void test_only_missing_controllers_are_passed_on(void **state)
{
	struct machine *m = *state;

	machine_v2(m, "cgroup", "/", "cpu memory pids\n");
	machine_file(m, "cgroup/cgroup.subtree_control", "memory pids\n");
	assert_int_equal(make(m, "cgroup/x", "cgroup", "+memory +pids", NULL), 0);
	assert_string_equal(machine_text(m, "cgroup/cgroup.subtree_control"), "memory pids\n");
	machine_file(m, "cgroup/cgroup.subtree_control", "memory\n");
	assert_int_equal(make(m, "cgroup/y", "cgroup", "+cpu +memory +pids", NULL), 0);
	assert_string_equal(machine_text(m, "cgroup/cgroup.subtree_control"), "+cpu +pids ");
}

static void test_an_empty_left_over_is_taken_and_a_full_one_is_not(void **state)
{
	struct machine *m = *state;
	struct nook_error e = NOOK_ERROR_INIT;

	machine_v1(m, "pids", "/", "/");
	machine_file(m, "cgroup/pids/x/cgroup.procs", "");
	assert_int_equal(make(m, "cgroup/pids/x", "cgroup/pids", "", &e), 0);
	machine_file(m, "cgroup/pids/x/cgroup.procs", "17\n");
	assert_int_equal(make(m, "cgroup/pids/x", "cgroup/pids", "", &e), -EBUSY);
	assert_non_null(strstr(e.detail, "has processes in it"));
	machine_file(m, "cgroup/pids/x/cgroup.procs", "");
	machine_file(m, "cgroup/pids/x/cgroup.freeze", "1\n");
	assert_int_equal(make(m, "cgroup/pids/x", "cgroup/pids", "", &e), -EBUSY);
	assert_non_null(strstr(e.detail, "is frozen"));
}

static void test_a_path_outside_the_hierarchy_is_refused(void **state)
{
	struct machine *m = *state;

	machine_v1(m, "pids", "/", "/");
	assert_int_equal(make(m, "cgroup/pidsx/y", "cgroup/pids", "", NULL), -EINVAL);
}

static void test_new_cpusets_are_filled_from_above(void **state)
{
	struct machine *m = *state;

	machine_v1(m, "cpuset", "/", "/");
	machine_file(m, "cgroup/cpuset/cpuset.cpus", "0-1\n");
	machine_file(m, "cgroup/cpuset/cpuset.mems", "0\n");
	machine_file(m, "cgroup/cpuset/x/cpuset.cpus", "\n");
	machine_file(m, "cgroup/cpuset/x/cpuset.mems", "1\n");
	machine_file(m, "cgroup/cpuset/x/cgroup.procs", "");
	assert_int_equal(make(m, "cgroup/cpuset/x", "cgroup/cpuset", "cpuset", NULL), 0);
	assert_string_equal(machine_text(m, "cgroup/cpuset/x/cpuset.cpus"), "0-1\n");
	assert_string_equal(machine_text(m, "cgroup/cpuset/x/cpuset.mems"), "1\n");
}

static void test_the_second_file_takes_the_second_value(void **state)
{
	struct machine *m = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int dir = open(m->temp->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	machine_file(m, "io.weight", "");
	assert_int_equal(cgroup_limit(dir, "io.bfq.weight|io.weight", "10|1", false, &e), 0);
	assert_string_equal(machine_text(m, "io.weight"), "1");
	machine_file(m, "io.bfq.weight", "");
	assert_int_equal(cgroup_limit(dir, "io.bfq.weight|io.weight", "10|1", false, &e), 0);
	assert_string_equal(machine_text(m, "io.bfq.weight"), "10");
	machine_file(m, "blkio.weight", "");
	assert_int_equal(cgroup_limit(dir, "blkio.bfq.weight|blkio.weight", "7", false, &e), 0);
	assert_string_equal(machine_text(m, "blkio.weight"), "7");
	assert_int_equal(cgroup_limit(dir, "nothing", "1", true, &e), 1);
	assert_int_equal(cgroup_limit(dir, "a|b", "1|2", false, &e), -ENOENT);
	assert_string_equal(e.object, "a|b");
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static struct cgroup_named named(struct machine *m, const char *text)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout l = machine_layout(m);
	struct cgroup_named g;

	if (cgroup_named(m->a, &l, text, &g, &e) < 0)
		fail_msg("%s: %s", e.object, e.detail);
	return g;
}

static void test_names_of_groups(void **state)
{
	struct machine *m = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_named g;
	struct cgroup_layout l;

	machine_v1(m, "cpu,cpuacct", "/", "/");
	machine_v1(m, "memory", "/", "/");
	machine_v2(m, "cgroup/unified", "/", "hugetlb\n");
	g = named(m, "cpu,memory,cpuacct:/lab/a/");
	assert_int_equal(g.n, 2);
	assert_string_equal(g.path, "lab/a");
	assert_string_equal(g.dirs[0].path, machine_path(m, "cgroup/cpu,cpuacct/lab/a"));
	assert_string_equal(g.lists[0], "cpu,cpuacct");
	assert_string_equal(g.lists[1], "memory");
	g = named(m, "*:x");
	assert_int_equal(g.n, 3);
	assert_string_equal(g.dirs[2].prepare, "+hugetlb");
	g = named(m, "v2:x");
	assert_string_equal(g.dirs[0].path, machine_path(m, "cgroup/unified/x"));
	assert_string_equal(g.dirs[0].prepare, "");
	g = named(m, "net_cls:x");
	assert_string_equal(g.dirs[0].path, "net_cls:/x");
	machine_file(m, "cgroup/memory/here/cgroup.procs", "");
	g = named(m, "here");
	assert_int_equal(g.n, 1);
	l = machine_layout(m);
	assert_int_equal(cgroup_named(m->a, &l, "nowhere", &g, &e), -ENOENT);
	assert_int_equal(cgroup_named(m->a, &l, "cpu:../x", &g, &e), -EINVAL);
	assert_int_equal(cgroup_named(m->a, &l, "ns:x", &g, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.detail, "cgroup namespaces"));
	assert_int_equal(cgroup_named(m->a, &l, "rdma:x", &g, &e), -EOPNOTSUPP);
	assert_int_equal(cgroup_named(m->a, &l, "nonsense:x", &g, &e), -EINVAL);
}

static void test_files_are_found_by_their_controller(void **state)
{
	struct machine *m = *state;
	struct cgroup_layout l;
	struct cgroup_named g;

	machine_v1(m, "cpu,cpuacct", "/", "/");
	machine_v1(m, "memory", "/", "/");
	g = named(m, "cpu,memory:x");
	l = machine_layout(m);
	assert_int_equal(cgroup_named_find(&l, &g, "cpuacct.usage"), 0);
	assert_int_equal(cgroup_named_find(&l, &g, "memory.limit_in_bytes"), 1);
	assert_int_equal(cgroup_named_find(&l, &g, "pids.max"), -1);
	assert_int_equal(cgroup_named_find(&l, &g, "cgroup.procs"), 0);
}

/* ---- figures -------------------------------------------------------------------------------------------------------- */

static void test_statistics_of_v1(void **state)
{
	struct machine *m = *state;
	const char *dirs[] = {machine_path(m, "g"), machine_path(m, "gone")};
	const struct cgroup c = {.dirs = dirs, .n = 2};
	struct cgroup_stats s;

	machine_file(m, "g/cpuacct.usage", "5000\n");
	machine_file(m, "g/cpuacct.usage_percpu", "2000 3000 \n");
	machine_file(m, "g/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 77\n");
	machine_file(m, "g/memory.limit_in_bytes", "9223372036854771712\n");
	machine_file(m, "g/memory.usage_in_bytes", "4096\n");
	machine_file(m, "g/memory.stat", "cache 1\ntotal_cache 10\ntotal_rss 20\ntotal_rss_huge 5\n");
	machine_file(m, "g/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	machine_file(m, "g/pids.max", "max\n");
	machine_file(m, "g/blkio.throttle.io_service_bytes_recursive",
	             "254:0 Read 100\n254:0 Write 20\n254:16 Read 1\n254:16 Total 9\nTotal 121\n");
	assert_int_equal(cgroup_stats(m->a, &c, &s, NULL), 0);
	assert_int_equal(s.cpu_total_ns.value, 5000);
	assert_int_equal(s.n_cpus, 2);
	assert_int_equal(s.per_cpu_ns[1], 3000);
	assert_int_equal(s.cpu_throttled.value, 2);
	assert_int_equal(s.cpu_throttled_ns.value, 77);
	assert_false(s.memory_limit.set);
	assert_int_equal(s.memory.value, 4096);
	assert_int_equal(s.memory_cache.value, 10);
	assert_int_equal(s.memory_rss.value, 20);
	assert_int_equal(s.oom_kills.value, 2);
	assert_false(s.pids_limit.set);
	assert_int_equal(s.io_read_bytes.value, 101);
	assert_int_equal(s.io_write_bytes.value, 20);
	assert_false(s.pids.set);
}

static void test_statistics_of_v2(void **state)
{
	struct machine *m = *state;
	const char *dirs[] = {machine_path(m, "g")};
	const struct cgroup c = {.dirs = dirs, .n = 1};
	struct cgroup_stats s;

	machine_file(m, "g/cgroup.controllers", "cpu memory\n");
	machine_file(m, "g/cpu.stat", "usage_usec 7\nuser_usec 4\nsystem_usec 3\nnr_throttled 1\nthrottled_usec 9\n");
	machine_file(m, "g/memory.max", "1048576\n");
	machine_file(m, "g/memory.stat", "anon 5\nfile 6\nfile_mapped 7\n");
	machine_file(m, "g/memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n");
	machine_file(m, "g/io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20 rios=30 wios=40\n");
	machine_file(m, "g/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=55\nfull avg10=0.00 total=1\n");
	/* v1's name for another thing must not be read on v2. */
	machine_file(m, "g/memory.failcnt", "99\n");
	assert_int_equal(cgroup_stats(m->a, &c, &s, NULL), 0);
	assert_int_equal(s.cpu_total_ns.value, 7000);
	assert_int_equal(s.cpu_throttled_ns.value, 9000);
	assert_int_equal(s.memory_limit.value, 1048576);
	assert_int_equal(s.memory_cache.value, 6);
	assert_int_equal(s.memory_failures.value, 4);
	assert_int_equal(s.oom_kills.value, 1);
	assert_int_equal(s.io_read_bytes.value, 11);
	assert_int_equal(s.io_writes.value, 44);
	assert_int_equal(s.cpu_some_us.value, 55);
	assert_false(s.memory.set);
}

static void test_statistics_of_a_group_that_is_gone(void **state)
{
	struct machine *m = *state;
	const char *dirs[] = {machine_path(m, "gone")};
	const struct cgroup c = {.dirs = dirs, .n = 1};
	struct cgroup_stats s;

	assert_int_equal(cgroup_stats(m->a, &c, &s, NULL), -ENOENT);
}

static void test_pids_come_from_groups_below_too(void **state)
{
	struct machine *m = *state;
	const char *dirs[] = {machine_path(m, "g")};
	const struct cgroup c = {.dirs = dirs, .n = 1};
	pid_t *pids = NULL;

	machine_file(m, "g/cgroup.procs", "0\n11\n");
	machine_file(m, "g/a/cgroup.procs", "12\n13\n");
	machine_file(m, "g/a/b/cgroup.procs", "");
	assert_int_equal(cgroup_pids(m->a, &c, &pids, NULL), 3);
	assert_int_equal(pids[0] + pids[1] + pids[2], 36);
}

#define T(f) cmocka_unit_test_setup_teardown(f, machine_make, machine_remove)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_directories_above_are_made),
		T(test_only_missing_controllers_are_passed_on),
		T(test_an_empty_left_over_is_taken_and_a_full_one_is_not),
		T(test_a_path_outside_the_hierarchy_is_refused),
		T(test_new_cpusets_are_filled_from_above),
		T(test_the_second_file_takes_the_second_value),
		T(test_names_of_groups),
		T(test_files_are_found_by_their_controller),
		T(test_statistics_of_v1),
		T(test_statistics_of_v2),
		T(test_statistics_of_a_group_that_is_gone),
		T(test_pids_come_from_groups_below_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
