/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/limits.h"
#include "tests.h"

struct spelled {
	struct arena *a;
	struct spec_resources r;
	struct limit_list list;
	struct nook_error e;
};

static int make(void **state)
{
	struct spelled *s = xcalloc(1, sizeof(*s));

	s->a = arena_new();
	*state = s;
	return 0;
}

static int drop(void **state)
{
	struct spelled *s = *state;

	arena_free(s->a);
	free(s);
	return 0;
}

static int spell(struct spelled *s, enum cgroup_version version)
{
	enum cgroup_version where[CGROUP_CONTROLLERS];

	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		where[i] = version;
	return limits_spell(s->a, &s->r, where, &s->list, &s->e);
}

static void expect(struct spelled *s, size_t i, const char *file, const char *value)
{
	assert_true(i < s->list.n);
	assert_string_equal(s->list.items[i].file, file);
	assert_string_equal(s->list.items[i].value, value);
}

static void test_what_is_not_set_is_not_written(void **state)
{
	struct spelled *s = *state;
	unsigned asked, defaults;

	assert_int_equal(spell(s, CGROUP_V1), 0);
	assert_int_equal(s->list.n, 0);
	assert_int_equal(spell(s, CGROUP_V2), 0);
	assert_int_equal(s->list.n, 0);
	limits_controllers(&s->r, &asked, &defaults);
	assert_int_equal(asked | defaults, 0);
}

/* Engines send 0 for "leave it". */
static void test_zero_is_not_a_limit_where_it_cannot_be_one(void **state)
{
	struct spelled *s = *state;
	unsigned asked, defaults;

	s->r.cpu_shares.set = s->r.cpu_quota.set = s->r.cpu_period.set = s->r.memory_limit.set = s->r.memory_swap.set = true;
	s->r.memory_reservation.set = s->r.blkio_weight.set = true;
	limits_controllers(&s->r, &asked, &defaults);
	assert_int_equal(asked | defaults, 0);
	assert_int_equal(spell(s, CGROUP_V2), 0);
	assert_int_equal(s->list.n, 0);
	s->r.memory_swappiness.set = true;
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "memory.swappiness", "0");
}

static void test_shares_become_weights(void **state)
{
	static const uint64_t pairs[][2] = {{0, 1}, {2, 1}, {3, 1}, {512, 59}, {1024, 100}, {2048, 174}, {262144, 10000}, {999999, 10000}};

	(void)state;
	/* The ends and the defaults are fixed; between them it only grows. */
	assert_int_equal(limits_weight_of_shares(2), 1);
	assert_int_equal(limits_weight_of_shares(1024), 100);
	assert_int_equal(limits_weight_of_shares(262144), 10000);
	assert_int_equal(limits_weight_of_shares(pairs[7][0]), pairs[7][1]);
	for (uint64_t shares = 2, last = 0; shares <= 262144; shares++) {
		uint64_t weight = limits_weight_of_shares(shares);

		assert_true(weight >= last && weight >= 1 && weight <= 10000);
		last = weight;
	}
}

static void test_every_weight_comes_back(void **state)
{
	(void)state;
	for (uint64_t weight = 1; weight <= 10000; weight++)
		assert_int_equal(limits_weight_of_shares(cgroup_shares_of_weight(weight)), weight);
	assert_int_equal(cgroup_shares_of_weight(100), 1024);
}

static void test_cpu(void **state)
{
	struct spelled *s = *state;

	s->r.cpu_shares = (struct opt_u64){1024, true};
	s->r.cpu_period = (struct opt_u64){100000, true};
	s->r.cpu_quota = (struct opt_i64){50000, true};
	s->r.cpu_burst = (struct opt_u64){1000, true};
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "cpu.shares", "1024");
	expect(s, 1, "cpu.cfs_period_us", "100000");
	expect(s, 2, "cpu.cfs_quota_us", "50000");
	expect(s, 3, "cpu.cfs_burst_us", "1000");
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "cpu.weight", "100");
	expect(s, 1, "cpu.max", "50000 100000");
	expect(s, 2, "cpu.max.burst", "1000");
	assert_int_equal(s->list.n, 3);
}

static void test_cpu_max_with_one_of_the_two(void **state)
{
	struct spelled *s = *state;

	s->r.cpu_quota = (struct opt_i64){50000, true};
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "cpu.max", "50000");
	s->r.cpu_quota.value = -1;
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "cpu.max", "max");
	s->r.cpu_quota.set = false;
	s->r.cpu_period = (struct opt_u64){50000, true};
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "cpu.max", "max 50000");
	assert_int_equal(s->list.n, 1);
}

static void test_memory_and_swap(void **state)
{
	struct spelled *s = *state;

	s->r.memory_limit = (struct opt_i64){64 << 20, true};
	s->r.memory_swap = (struct opt_i64){96 << 20, true};
	s->r.memory_reservation = (struct opt_i64){32 << 20, true};
	s->r.memory_oom_group = true;
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "memory.limit_in_bytes", "67108864");
	expect(s, 1, "memory.memsw.limit_in_bytes", "100663296");
	expect(s, 2, "memory.soft_limit_in_bytes", "33554432");
	assert_int_equal(s->list.n, 3);
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "memory.max", "67108864");
	expect(s, 1, "memory.swap.max", "33554432");
	expect(s, 2, "memory.low", "33554432");
	expect(s, 3, "memory.oom.group", "1");
	assert_true(s->list.items[3].optional);
}

static void test_unlimited_swap(void **state)
{
	struct spelled *s = *state;

	s->r.memory_limit = (struct opt_i64){64 << 20, true};
	s->r.memory_swap = (struct opt_i64){-1, true};
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 1, "memory.swap.max", "max");
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 1, "memory.memsw.limit_in_bytes", "-1");
}

static void test_swap_that_makes_no_sense_is_refused(void **state)
{
	struct spelled *s = *state;

	s->r.memory_swap = (struct opt_i64){64 << 20, true};
	assert_int_equal(spell(s, CGROUP_V2), -EINVAL);
	assert_string_equal(s->e.object, "memory.swap");
	s->r.memory_limit = (struct opt_i64){128 << 20, true};
	assert_int_equal(spell(s, CGROUP_V1), -EINVAL);
	assert_non_null(strstr(s->e.detail, "less than memory alone"));
}

static void test_what_v2_lacks_is_an_error(void **state)
{
	struct spelled *s = *state;

	s->r.cpu_rt_runtime = (struct opt_i64){1000, true};
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "cpu.rt_runtime_us", "1000");
	assert_int_equal(spell(s, CGROUP_V2), -EOPNOTSUPP);
	assert_string_equal(s->e.object, "cpu.realtimeRuntime");
	s->r.cpu_rt_runtime.set = false;
	s->r.memory_oom_kill_disable = true;
	assert_int_equal(spell(s, CGROUP_V2), -EOPNOTSUPP);
	assert_string_equal(s->e.object, "memory.disableOOMKiller");
}

static void test_pids(void **state)
{
	struct spelled *s = *state;
	unsigned asked, defaults;

	s->r.pids_limit = (struct opt_i64){2048, true};
	s->r.pids_limit_clamp = true;
	limits_controllers(&s->r, &asked, &defaults);
	assert_int_equal(asked, 0);
	assert_int_equal(defaults, 1U << CGROUP_PIDS);
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "pids.max", "2048");
	assert_true(s->list.items[0].optional);
	s->r.pids_limit.value = 0;
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "pids.max", "max");
	s->r.pids_limit.value = -1;
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "pids.max", "max");
	limits_controllers(&s->r, &asked, &defaults);
	assert_int_equal(asked | defaults, 0);
}

static void test_block_io(void **state)
{
	struct spelled *s = *state;
	struct spec_blkio_device d = {.major = 8, .minor = 16};

	d.read_bps = (struct opt_u64){1 << 20, true};
	d.write_iops = (struct opt_u64){100, true};
	d.weight = (struct opt_u64){500, true};
	s->r.blkio_weight = (struct opt_u64){10, true};
	s->r.blkio_devices = &d;
	s->r.n_blkio_devices = 1;
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "blkio.bfq.weight|blkio.weight", "10");
	expect(s, 1, "blkio.bfq.weight_device|blkio.weight_device", "8:16 500|8:16 500");
	expect(s, 2, "blkio.throttle.read_bps_device", "8:16 1048576");
	expect(s, 3, "blkio.throttle.write_iops_device", "8:16 100");
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 0, "io.bfq.weight|io.weight", "10|1");
	expect(s, 1, "io.bfq.weight|io.weight", "8:16 500|8:16 4950");
	expect(s, 2, "io.max", "8:16 rbps=1048576");
	expect(s, 3, "io.max", "8:16 wiops=100");
	d.read_bps.value = 0;
	assert_int_equal(spell(s, CGROUP_V2), 0);
	expect(s, 2, "io.max", "8:16 rbps=max");
}

static void test_lists(void **state)
{
	struct spelled *s = *state;
	struct spec_hugepage pages[] = {{"2MB", 4 << 20, false}, {"2MB", 2 << 20, true}};
	struct spec_rdma rdma = {"mlx5_0", {2, true}, {0, false}};
	struct spec_ifprio prio = {"eth0", 5};
	struct spec_pair misc = {"sev", "max"};

	s->r.hugepages = pages;
	s->r.n_hugepages = 2;
	s->r.rdma = &rdma;
	s->r.n_rdma = 1;
	s->r.net_prios = &prio;
	s->r.n_net_prios = 1;
	s->r.misc = &misc;
	s->r.n_misc = 1;
	s->r.net_classid = (struct opt_u64){0x100001, true};
	assert_int_equal(spell(s, CGROUP_V1), 0);
	expect(s, 0, "net_cls.classid", "1048577");
	expect(s, 1, "hugetlb.2MB.limit_in_bytes", "4194304");
	expect(s, 2, "hugetlb.2MB.rsvd.limit_in_bytes", "2097152");
	expect(s, 3, "net_prio.ifpriomap", "eth0 5");
	expect(s, 4, "rdma.max", "mlx5_0 hca_handle=2");
	expect(s, 5, "misc.max", "sev max");
	assert_int_equal(spell(s, CGROUP_V2), 0);
	/* Classes and priorities are a program on v2. */
	expect(s, 0, "hugetlb.2MB.max", "4194304");
	expect(s, 1, "hugetlb.2MB.rsvd.max", "2097152");
	expect(s, 2, "rdma.max", "mlx5_0 hca_handle=2");
	assert_int_equal(s->list.n, 4);
	pages[0].size = "../x";
	assert_int_equal(spell(s, CGROUP_V2), -EINVAL);
}

static void test_files_have_names_in_both_versions(void **state)
{
	(void)state;
	assert_string_equal(limits_other_name("cpu.shares"), "cpu.weight");
	assert_string_equal(limits_other_name("memory.max"), "memory.limit_in_bytes");
	assert_string_equal(limits_other_name("freezer.state"), "cgroup.freeze");
	assert_null(limits_other_name("pids.nonsense"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, make, drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_not_set_is_not_written),
		T(test_zero_is_not_a_limit_where_it_cannot_be_one),
		T(test_shares_become_weights),
		T(test_every_weight_comes_back),
		T(test_cpu),
		T(test_cpu_max_with_one_of_the_two),
		T(test_memory_and_swap),
		T(test_unlimited_swap),
		T(test_swap_that_makes_no_sense_is_refused),
		T(test_what_v2_lacks_is_an_error),
		T(test_pids),
		T(test_block_io),
		T(test_lists),
		T(test_files_have_names_in_both_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
