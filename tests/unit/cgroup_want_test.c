/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/limits.h"
#include "cgroup_machine.h"

#include <linux/bpf.h>

static struct cgroup_want want(struct machine *m, const struct spec_resources *r, const char *path)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout l = machine_layout(m);
	struct cgroup_want w;
	int n = cgroup_want(m->a, &l, r, path, &w, &e);

	if (n < 0)
		fail_msg("%s: %s", e.object, e.detail);
	return w;
}

static int refused(struct machine *m, const struct spec_resources *r, const char *path, struct nook_error *e)
{
	struct cgroup_layout l = machine_layout(m);
	struct cgroup_want w;

	return cgroup_want(m->a, &l, r, path, &w, e);
}

static int dir_at(struct machine *m, const struct cgroup_want *w, const char *path)
{
	for (size_t i = 0; i < w->n_dirs; i++)
		if (!strcmp(w->dirs[i].path, path[0] == '/' || strchr(path, ':') ? path : machine_path(m, path)))
			return (int)i;
	return -1;
}

/* Fails when the file is not written. */
static const struct cgroup_write *write_of(const struct cgroup_want *w, const char *file)
{
	static const struct cgroup_write none = {.dir = -1, .file = "", .value = ""};

	for (size_t i = 0; i < w->n_writes; i++)
		if (!strcmp(w->writes[i].file, file))
			return &w->writes[i];
	fail_msg("%s is not written", file);
	return &none;
}

static struct spec_resources default_limits(void)
{
	static struct spec_device_rule deny = {false, 'a', -1, -1, DEV_READ | DEV_WRITE | DEV_MKNOD};

	return (struct spec_resources){
		.pids_limit = {2048, true}, .pids_limit_clamp = true, .memory_oom_group = true, .devices = &deny, .n_devices = 1};
}

static void hybrid(struct machine *m)
{
	static const char *const lists[] = {"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		machine_v1(m, lists[i], "/", "/");
	machine_v2(m, "cgroup/unified", "/", "hugetlb\n");
}

/* podman run --systemd binds it. */
static void test_a_hierarchy_that_is_shown_has_a_group(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct nook_error e = NOOK_ERROR_INIT;
	const char *const sources[] = {"/", "cgroup/name=systemd/a", "cgroup/pids", "cgroup/name=systemd", "cgroup", "cgroup/"};

	hybrid(m);
	machine_v1(m, "name=systemd", "/", "/");
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		struct cgroup_layout l = machine_layout(m);
		struct cgroup_want w;

		cgroup_layout_show(&l, sources[i][0] == '/' ? sources[i] : machine_path(m, sources[i]));
		assert_int_equal(cgroup_want(m->a, &l, &r, "nook-x", &w, &e), 0);
		assert_int_equal(dir_at(m, &w, "cgroup/name=systemd/nook-x") >= 0, i >= 3);
	}
}

static void test_hybrid_makes_only_what_is_used(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct cgroup_want w;

	hybrid(m);
	w = want(m, &r, "nook-x");
	assert_true(dir_at(m, &w, "cgroup/pids/nook-x") >= 0);
	assert_true(dir_at(m, &w, "cgroup/memory/nook-x") >= 0);
	assert_true(dir_at(m, &w, "cgroup/devices/nook-x") >= 0);
	assert_true(dir_at(m, &w, "cgroup/cpu/nook-x") < 0);
	assert_true(dir_at(m, &w, "cgroup/cpuset/nook-x") < 0);
	/* v2 freezes and kills. */
	assert_true(dir_at(m, &w, "cgroup/freezer/nook-x") < 0);
	assert_int_equal(w.into, dir_at(m, &w, "cgroup/unified/nook-x"));
	assert_string_equal(w.dirs[w.into].prepare, "");
	assert_string_equal(write_of(&w, "pids.max")->value, "2048");
	assert_int_equal(w.n_notes, 0);
}

static void test_v1_alone_has_a_freezer(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct cgroup_want w;

	machine_v1(m, "freezer", "/", "/");
	machine_v1(m, "pids", "/", "/");
	w = want(m, &r, "nook-x");
	assert_true(dir_at(m, &w, "cgroup/freezer/nook-x") >= 0);
	assert_int_equal(w.into, -1);
}

static void test_v2_alone_passes_on_controllers_and_has_programs(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct cgroup_want w;

	machine_v2(m, "cgroup", "/", "cpu io memory pids\n");
	r.cpu_shares = (struct opt_u64){512, true};
	r.net_classid = (struct opt_u64){7, true};
	w = want(m, &r, "/a/b");
	assert_int_equal(w.n_dirs, 1);
	assert_string_equal(w.dirs[0].path, machine_path(m, "cgroup/a/b"));
	assert_string_equal(w.dirs[0].prepare, "+cpu +memory +pids +io");
	assert_int_equal(write_of(&w, "cpu.weight")->dir, 0);
	assert_true(write_of(&w, "memory.oom.group")->optional);
	assert_int_equal(w.n_bpf, 2);
	assert_int_equal(w.bpf[0].attach_type, BPF_CGROUP_DEVICE);
	assert_int_equal(w.bpf[1].attach_type, BPF_CGROUP_INET_SOCK_CREATE);
}

static void test_controllers_together_share_one_group(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = {.cpu_shares = {512, true}};
	struct cgroup_want w;

	machine_v1(m, "cpu,cpuacct", "/", "/");
	w = want(m, &r, "nook-x");
	assert_int_equal(w.n_dirs, 1);
	assert_string_equal(w.dirs[0].path, machine_path(m, "cgroup/cpu,cpuacct/nook-x"));
}

static void test_cpuset_on_v1_is_filled(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = {.cpuset_cpus = "0-1"};
	struct cgroup_want w;

	hybrid(m);
	w = want(m, &r, "nook-x");
	assert_string_equal(w.dirs[dir_at(m, &w, "cgroup/cpuset/nook-x")].prepare, "cpuset");
}

static void test_what_nobody_mounted_is_mounted_when_asked_for(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = {.net_classid = {0x100001, true}};
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_want w;

	hybrid(m);
	if (geteuid()) {
		assert_int_equal(refused(m, &r, "nook-x", &e), -EPERM);
		return;
	}
	w = want(m, &r, "/a/x");
	assert_true(dir_at(m, &w, "net_cls:/a/x") >= 0);
	assert_string_equal(w.writes[0].file, "net_cls.classid");
}

static void test_what_was_asked_for_and_is_missing_is_an_error(void **state)
{
	struct machine *m = *state;
	struct spec_rdma rdma = {"mlx", {1, true}, {0, false}};
	struct spec_resources r = {.rdma = &rdma, .n_rdma = 1};
	struct nook_error e = NOOK_ERROR_INIT;

	hybrid(m);
	assert_int_equal(refused(m, &r, "nook-x", &e), -EOPNOTSUPP);
	assert_string_equal(e.object, "rdma");
	assert_non_null(strstr(e.detail, "this kernel has no rdma controller"));
}

static void test_a_default_that_is_missing_is_a_note(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct cgroup_want w;

	machine_v2(m, "cgroup", "/", "cpu\n");
	w = want(m, &r, "nook-x");
	assert_int_equal(w.n_notes, 1);
	assert_non_null(strstr(w.notes[0], "limit of 2048 processes is not enforced"));
	assert_null(w.notes[1]);
	assert_int_equal(w.n_dirs, 1);
}

static void test_nothing_at_all_is_notes_or_an_error(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_want w = want(m, &r, "nook-x");

	assert_int_equal(w.n_dirs, 0);
	assert_int_equal(w.into, -1);
	assert_true(w.n_notes >= 1);
	r.memory_limit = (struct opt_i64){1 << 20, true};
	assert_int_equal(refused(m, &r, "nook-x", &e), -EOPNOTSUPP);
	assert_string_equal(e.object, "memory.limit");
}

static void test_a_read_only_tree_is_named(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = {.memory_limit = {1 << 20, true}};
	struct nook_error e = NOOK_ERROR_INIT;

	buf_adds(&m->cgroup, "4:memory:/\n");
	buf_adds(&m->mountinfo, "30 20 0:30 / /somewhere ro - cgroup cgroup rw,memory\n");
	assert_int_equal(refused(m, &r, "nook-x", &e), -EOPNOTSUPP);
	assert_string_equal(e.detail, "/somewhere is mounted read-only");
}

/* In a container on v2: the top it sees is an inner group, and it has processes. */
static void test_an_inner_group_with_processes_passes_nothing_on(void **state)
{
	struct machine *m = *state;
	struct spec_resources r = default_limits();
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_want w;

	machine_v2(m, "cgroup", "/", "memory pids\n");
	machine_file(m, "cgroup/cgroup.type", "domain\n");
	w = want(m, &r, "nook-x");
	assert_string_equal(w.dirs[0].prepare, "");
	assert_int_equal(w.n_notes, 1);
	r.memory_limit = (struct opt_i64){1 << 20, true};
	assert_int_equal(refused(m, &r, "nook-x", &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.detail, "has processes of its own"));
	machine_file(m, "cgroup/cgroup.procs", "");
	w = want(m, &r, "nook-x");
	assert_string_equal(w.dirs[0].prepare, "+memory +pids");
}

static void test_unified_files_go_to_v2_only(void **state)
{
	struct machine *m = *state;
	struct spec_pair good = {"hugetlb.2MB.max", "0"}, elsewhere = {"memory.high", "1"}, bad = {"../x.y", "1"};
	struct spec_resources r = {.unified = &good, .n_unified = 1};
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_want w;

	hybrid(m);
	w = want(m, &r, "nook-x");
	assert_int_equal(write_of(&w, "hugetlb.2MB.max")->dir, w.into);
	assert_string_equal(w.dirs[w.into].prepare, "+hugetlb");
	r.unified = &elsewhere;
	assert_int_equal(refused(m, &r, "nook-x", &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.detail, "not on cgroup v2 here"));
	r.unified = &bad;
	assert_int_equal(refused(m, &r, "nook-x", &e), -EINVAL);
}

static void test_paths_do_not_climb(void **state)
{
	static const char *const bad[] = {"..", "a/../b", "/", "", "./a", "a/."};
	struct machine *m = *state;
	struct spec_resources r = {0};
	struct nook_error e = NOOK_ERROR_INIT;

	hybrid(m);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(refused(m, &r, bad[i], &e), -EINVAL);
	assert_int_equal(refused(m, &r, "/..a/b..", &e), 0);
}

static void test_more_groups_for_a_container_that_runs(void **state)
{
	struct machine *m = *state;
	const char *dirs[] = {machine_path(m, "cgroup/unified/nook-x"), machine_path(m, "cgroup/memory/nook-x")};
	const struct cgroup c = {.dirs = dirs, .n = 2};
	struct spec_resources r = {.cpu_shares = {512, true}, .memory_limit = {1 << 20, true}};
	struct cgroup all;
	struct cgroup_layout l;

	hybrid(m);
	machine_file(m, "cgroup/unified/nook-x/cgroup.procs", "");
	machine_file(m, "cgroup/memory/nook-x/cgroup.procs", "");
	l = machine_layout(m);
	assert_int_equal(cgroup_update_groups(m->a, &l, &c, &r, &all, NULL), 0);
	assert_int_equal(all.n, 3);
	assert_string_equal(all.dirs[2], machine_path(m, "cgroup/cpu/nook-x"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, machine_make, machine_remove)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_hierarchy_that_is_shown_has_a_group),
		T(test_hybrid_makes_only_what_is_used),
		T(test_v1_alone_has_a_freezer),
		T(test_v2_alone_passes_on_controllers_and_has_programs),
		T(test_controllers_together_share_one_group),
		T(test_cpuset_on_v1_is_filled),
		T(test_what_nobody_mounted_is_mounted_when_asked_for),
		T(test_what_was_asked_for_and_is_missing_is_an_error),
		T(test_a_default_that_is_missing_is_a_note),
		T(test_nothing_at_all_is_notes_or_an_error),
		T(test_a_read_only_tree_is_named),
		T(test_an_inner_group_with_processes_passes_nothing_on),
		T(test_unified_files_go_to_v2_only),
		T(test_paths_do_not_climb),
		T(test_more_groups_for_a_container_that_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
