/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>

/* The engines send 0 for "not set", except where 0 is a value of its own (_ZERO). */
enum shape { SHAPE_I64, SHAPE_I64_ZERO, SHAPE_U64, SHAPE_U64_ZERO, SHAPE_TEXT, SHAPE_TRUE };

/* One limit that is one number or one text. */
struct row {
	const char *member; /* below linux.resources */
	size_t at;
	enum shape shape;
	enum cgroup_controller controller;
	const char *v1, *v2; /* the files; NULL: this version has no such limit; "": nothing to write there */
	const char *(*v2_value)(struct arena *a, const struct spec_resources *r, int64_t value);
	const char *lacks; /* why a version has it not */
	bool optional;
};

static const char *plain(struct arena *a, int64_t value)
{
	return arena_printf(a, "%" PRId64, value);
}

/* -1 is "no limit" in OCI and v1. */
static const char *or_max(struct arena *a, const struct spec_resources *r, int64_t value)
{
	(void)r;
	return value < 0 ? "max" : plain(a, value);
}

static const char *weight_of_shares(struct arena *a, const struct spec_resources *r, int64_t value)
{
	(void)r;
	return plain(a, (int64_t)limits_weight_of_shares((uint64_t)value));
}

/* v2 has quota and period in one file. */
static const char *cpu_max(struct arena *a, const struct spec_resources *r, int64_t value)
{
	const char *quota = r->cpu_quota.set && r->cpu_quota.value > 0 ? plain(a, r->cpu_quota.value) : "max";

	(void)value;
	return r->cpu_period.set ? arena_printf(a, "%s %" PRIu64, quota, r->cpu_period.value) : quota;
}

static const char *cpu_max_of_quota(struct arena *a, const struct spec_resources *r, int64_t value)
{
	return r->cpu_period.set ? NULL : cpu_max(a, r, value);
}

/* v1 limits memory and swap together, v2 swap alone. */
static const char *swap_alone(struct arena *a, const struct spec_resources *r, int64_t value)
{
	return value < 0 ? "max" : plain(a, value - r->memory_limit.value);
}

/* bfq takes 1..1000 as it is, the io cost model 1..10000. */
static int64_t io_weight(uint64_t weight)
{
	return 1 + ((int64_t)weight - 10) * 9999 / 990;
}

static const char *io_weights(struct arena *a, const struct spec_resources *r, int64_t value)
{
	(void)r;
	return arena_printf(a, "%" PRId64 "|%" PRId64, value, io_weight((uint64_t)value));
}

static const char *pids_max(struct arena *a, int64_t value)
{
	return value <= 0 ? "max" : plain(a, value);
}

static const char *pids_max_v2(struct arena *a, const struct spec_resources *r, int64_t value)
{
	(void)r;
	return pids_max(a, value);
}

#define AT(member) offsetof(struct spec_resources, member)
static const char only_v1[] = "cgroup v2 has nothing like it";
static const char only_v2[] = "cgroup v1 has nothing like it";

/* In the order in which a new group takes them: a period before its quota, memory before memory and swap. */
static const struct row rows[] = {
	{"cpu.shares", AT(cpu_shares), SHAPE_U64, CGROUP_CPU, "cpu.shares", "cpu.weight", weight_of_shares},
	{"cpu.idle", AT(cpu_idle), SHAPE_I64_ZERO, CGROUP_CPU, "cpu.idle", "cpu.idle"},
	{"cpu.period", AT(cpu_period), SHAPE_U64, CGROUP_CPU, "cpu.cfs_period_us", "cpu.max", cpu_max},
	{"cpu.quota", AT(cpu_quota), SHAPE_I64, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max", cpu_max_of_quota},
	{"cpu.burst", AT(cpu_burst), SHAPE_U64_ZERO, CGROUP_CPU, "cpu.cfs_burst_us", "cpu.max.burst"},
	{"cpu.realtimePeriod", AT(cpu_rt_period), SHAPE_U64, CGROUP_CPU, "cpu.rt_period_us", NULL, NULL, only_v1},
	{"cpu.realtimeRuntime", AT(cpu_rt_runtime), SHAPE_I64, CGROUP_CPU, "cpu.rt_runtime_us", NULL, NULL, only_v1},
	{"cpu.cpus", AT(cpuset_cpus), SHAPE_TEXT, CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus"},
	{"cpu.mems", AT(cpuset_mems), SHAPE_TEXT, CGROUP_CPUSET, "cpuset.mems", "cpuset.mems"},
	{"memory.limit", AT(memory_limit), SHAPE_I64, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", or_max},
	{"memory.swap", AT(memory_swap), SHAPE_I64, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", swap_alone},
	{"memory.reservation", AT(memory_reservation), SHAPE_I64, CGROUP_MEMORY, "memory.soft_limit_in_bytes", "memory.low", or_max},
	{"memory.kernelTCP", AT(memory_kernel_tcp), SHAPE_I64, CGROUP_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, NULL,
     "cgroup v2 counts TCP buffers as memory"},
	{"memory.swappiness", AT(memory_swappiness), SHAPE_U64_ZERO, CGROUP_MEMORY, "memory.swappiness", NULL, NULL, only_v1},
	{"memory.disableOOMKiller", AT(memory_oom_kill_disable), SHAPE_TRUE, CGROUP_MEMORY, "memory.oom_control", NULL, NULL, only_v1},
	{"memory.oomGroup", AT(memory_oom_group), SHAPE_TRUE, CGROUP_MEMORY, "", "memory.oom.group", NULL, only_v2, true},
	{"pids.limit", AT(pids_limit), SHAPE_I64_ZERO, CGROUP_PIDS, "pids.max", "pids.max", pids_max_v2},
	{"blockIO.weight", AT(blkio_weight), SHAPE_U64, CGROUP_BLKIO, "blkio.bfq.weight|blkio.weight", "io.bfq.weight|io.weight", io_weights},
	{"blockIO.leafWeight", AT(blkio_leaf_weight), SHAPE_U64, CGROUP_BLKIO, "blkio.leaf_weight", NULL, NULL, only_v1},
	{"network.classID", AT(net_classid), SHAPE_U64_ZERO, CGROUP_NET_CLS, "net_cls.classid", ""},
};
enum { N_ROWS = sizeof(rows) / sizeof(*rows) };

/* Is the member set?  Its number, if it is one, in *ret. */
static bool row_value(const struct row *row, const struct spec_resources *r, int64_t *ret)
{
	const void *p = (const char *)r + row->at;

	*ret = 1;
	switch (row->shape) {
	case SHAPE_I64:
	case SHAPE_I64_ZERO:
		*ret = ((const struct opt_i64 *)p)->value;
		return ((const struct opt_i64 *)p)->set && (*ret || row->shape == SHAPE_I64_ZERO);
	case SHAPE_U64:
	case SHAPE_U64_ZERO:
		*ret = (int64_t)((const struct opt_u64 *)p)->value;
		return ((const struct opt_u64 *)p)->set && (*ret || row->shape == SHAPE_U64_ZERO);
	case SHAPE_TEXT:
		return *(const char *const *)p && **(const char *const *)p;
	case SHAPE_TRUE:
		return *(const bool *)p;
	}
	return false;
}

uint64_t limits_weight_of_shares(uint64_t shares)
{
	double log_shares, exponent;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	log_shares = log2((double)shares);
	exponent = (log_shares * log_shares + 125 * log_shares) / 612.0 - 7.0 / 34.0;
	/* The last bit of the arithmetic must not lift a whole number to the next. */
	return (uint64_t)ceil(pow(10, exponent) - 1e-9);
}

uint64_t cgroup_shares_of_weight(uint64_t weight)
{
	uint64_t low = 2, high = 262144;

	/* The default of the one is that of the other, though other shares become 100 as well. */
	if (weight == limits_weight_of_shares(1024))
		return 1024;
	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (limits_weight_of_shares(middle) < weight)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *limits_other_name(const char *file)
{
	static const char *const pairs[][2] = {
		{"cpu.cfs_quota_us", "cpu.max"},
		{"cpu.cfs_period_us", "cpu.max"},
		{"cpuacct.usage", "cpu.stat"},
		{"freezer.state", "cgroup.freeze"},
		{"memory.usage_in_bytes", "memory.current"},
		{"memory.max_usage_in_bytes", "memory.peak"},
		{"blkio.throttle.read_bps_device", "io.max"},
		{"blkio.throttle.write_bps_device", "io.max"},
		{"blkio.throttle.read_iops_device", "io.max"},
		{"blkio.throttle.write_iops_device", "io.max"},
		{"tasks", "cgroup.threads"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		for (int side = 0; side < 2; side++)
			if (text_is(pairs[i][side], file))
				return pairs[i][!side];
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].v1 && rows[i].v2 && *rows[i].v1 && text_is(rows[i].v2, file))
			return rows[i].v1;
		if (rows[i].v1 && rows[i].v2 && *rows[i].v2 && text_is(rows[i].v1, file))
			return rows[i].v2;
	}
	return NULL;
}

struct speller {
	struct arena *arena;
	const struct spec_resources *r;
	const enum cgroup_version *where;
	struct limit_list *list;
};

static void add(struct speller *s, enum cgroup_controller c, const char *member, const char *file, const char *value)
{
	*arena_push(s->arena, &s->list->items, &s->list->n) =
		(struct limit){.controller = c, .member = member, .file = file, .value = value};
}

static const char *row_text(struct speller *s, const struct row *row, int64_t value, bool v2)
{
	if (row->shape == SHAPE_TEXT)
		return *(const char *const *)((const char *)s->r + row->at);
	if (v2 && row->v2_value)
		return row->v2_value(s->arena, s->r, value);
	if (row->controller == CGROUP_PIDS)
		return pids_max(s->arena, value);
	return plain(s->arena, value);
}

static int spell_row(struct speller *s, const struct row *row, struct nook_error *e)
{
	bool v2 = s->where[row->controller] == CGROUP_V2;
	const char *file = v2 ? row->v2 : row->v1, *value;
	int64_t number;

	if (!row_value(row, s->r, &number) || s->where[row->controller] == CGROUP_NOWHERE)
		return 0;
	if (!file)
		return err_why(e, STEP_LIMIT, row->member, EOPNOTSUPP, row->lacks);
	if (!*file)
		return 0;
	value = row_text(s, row, number, v2);
	if (!value)
		return 0;
	add(s, row->controller, row->member, file, value);
	s->list->items[s->list->n - 1].optional = row->optional || (row->controller == CGROUP_PIDS && s->r->pids_limit_clamp);
	return 0;
}

/* ---- block devices -------------------------------------------------------------------------------------------------- */

struct throttle {
	size_t at;
	const char *v1, *v2;
};
#define DEVICE_AT(member) offsetof(struct spec_blkio_device, member)
static const struct throttle throttles[] = {
	{DEVICE_AT(read_bps), "blkio.throttle.read_bps_device", "rbps"},
	{DEVICE_AT(write_bps), "blkio.throttle.write_bps_device", "wbps"},
	{DEVICE_AT(read_iops), "blkio.throttle.read_iops_device", "riops"},
	{DEVICE_AT(write_iops), "blkio.throttle.write_iops_device", "wiops"},
};

static void spell_throttles(struct speller *s, const struct spec_blkio_device *d, bool v2)
{
	for (size_t i = 0; i < sizeof(throttles) / sizeof(*throttles); i++) {
		const struct opt_u64 *limit = (const void *)((const char *)d + throttles[i].at);
		const char *file = v2 ? "io.max" : throttles[i].v1;

		if (!limit->set)
			continue;
		/* 0 takes the limit away; v2 has a word for that. */
		if (v2)
			add(s, CGROUP_BLKIO, "blockIO.throttle", file,
			    limit->value ? arena_printf(s->arena, "%" PRId64 ":%" PRId64 " %s=%" PRIu64, d->major, d->minor,
			                                throttles[i].v2, limit->value)
			                 : arena_printf(s->arena, "%" PRId64 ":%" PRId64 " %s=max", d->major, d->minor, throttles[i].v2));
		else
			add(s, CGROUP_BLKIO, "blockIO.throttle", file,
			    arena_printf(s->arena, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, limit->value));
	}
}

static int spell_block_devices(struct speller *s, struct nook_error *e)
{
	bool v2 = s->where[CGROUP_BLKIO] == CGROUP_V2;

	if (s->where[CGROUP_BLKIO] == CGROUP_NOWHERE)
		return 0;
	for (size_t i = 0; i < s->r->n_blkio_devices; i++) {
		const struct spec_blkio_device *d = &s->r->blkio_devices[i];
		const char *device = arena_printf(s->arena, "%" PRId64 ":%" PRId64, d->major, d->minor);

		if (d->weight.set)
			add(s, CGROUP_BLKIO, "blockIO.weightDevice", v2 ? "io.bfq.weight|io.weight" : "blkio.bfq.weight_device|blkio.weight_device",
			    arena_printf(s->arena, "%s %" PRIu64 "|%s %" PRId64, device, d->weight.value, device,
			                 v2 ? io_weight(d->weight.value) : (int64_t)d->weight.value));
		if (d->leaf_weight.set && v2)
			return err_why(e, STEP_LIMIT, "blockIO.weightDevice.leafWeight", EOPNOTSUPP, only_v1);
		if (d->leaf_weight.set)
			add(s, CGROUP_BLKIO, "blockIO.weightDevice.leafWeight", "blkio.leaf_weight_device",
			    arena_printf(s->arena, "%s %" PRIu64, device, d->leaf_weight.value));
		spell_throttles(s, d, v2);
	}
	return 0;
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

static void spell_hugepages(struct speller *s)
{
	for (size_t i = 0; i < s->r->n_hugepages && s->where[CGROUP_HUGETLB]; i++) {
		const struct spec_hugepage *h = &s->r->hugepages[i];

		const char *file = s->where[CGROUP_HUGETLB] == CGROUP_V2 ? "max" : "limit_in_bytes";
		const char *value = arena_printf(s->arena, "%" PRIu64, h->limit);

		add(s, CGROUP_HUGETLB, "hugepageLimits", arena_printf(s->arena, "hugetlb.%s.%s%s", h->size, h->rsvd ? "rsvd." : "", file),
		    value);
		if (h->rsvd || !h->rsvd_too)
			continue;
		/* Pages that are reserved count from when they are, where the kernel can (5.7). */
		add(s, CGROUP_HUGETLB, "hugepageLimits", arena_printf(s->arena, "hugetlb.%s.rsvd.%s", h->size, file), value);
		s->list->items[s->list->n - 1].optional = true;
	}
}

static void spell_net_prios(struct speller *s)
{
	for (size_t i = 0; i < s->r->n_net_prios && s->where[CGROUP_NET_PRIO] == CGROUP_V1; i++)
		add(s, CGROUP_NET_PRIO, "network.priorities", "net_prio.ifpriomap",
		    arena_printf(s->arena, "%s %" PRIu32, s->r->net_prios[i].name, s->r->net_prios[i].priority));
}

static void spell_rdma(struct speller *s)
{
	for (size_t i = 0; i < s->r->n_rdma && s->where[CGROUP_RDMA]; i++) {
		const struct spec_rdma *d = &s->r->rdma[i];
		const char *handles = d->handles.set ? arena_printf(s->arena, " hca_handle=%" PRIu64, d->handles.value) : "";
		const char *objects = d->objects.set ? arena_printf(s->arena, " hca_object=%" PRIu64, d->objects.value) : "";

		add(s, CGROUP_RDMA, "rdma", "rdma.max", arena_printf(s->arena, "%s%s%s", d->device, handles, objects));
	}
}

static void spell_misc(struct speller *s)
{
	for (size_t i = 0; i < s->r->n_misc && s->where[CGROUP_MISC]; i++)
		add(s, CGROUP_MISC, "misc", "misc.max", arena_printf(s->arena, "%s %s", s->r->misc[i].key, s->r->misc[i].value));
}

/* ---- checks and needs ----------------------------------------------------------------------------------------------- */

static int check(const struct spec_resources *r, const enum cgroup_version *where, struct nook_error *e)
{
	bool limited = r->memory_limit.set && r->memory_limit.value > 0;

	if (r->memory_swap.set && r->memory_swap.value > 0 && where[CGROUP_MEMORY] == CGROUP_V2 && !limited)
		return err_why(e, STEP_LIMIT, "memory.swap", EINVAL, "a limit of memory and swap needs a memory limit beside it");
	if (r->memory_swap.set && r->memory_swap.value >= 0 && limited && r->memory_swap.value < r->memory_limit.value)
		return err_why(e, STEP_LIMIT, "memory.swap", EINVAL, "memory and swap together are less than memory alone");
	for (size_t i = 0; i < r->n_hugepages; i++)
		if (strpbrk(r->hugepages[i].size, "/|."))
			return err_why(e, STEP_LIMIT, r->hugepages[i].size, EINVAL, "no page size, such as 2MB");
	return 0;
}

void limits_controllers(const struct spec_resources *r, unsigned *ret_asked, unsigned *ret_default)
{
	unsigned asked = 0, defaults = 0;
	int64_t number;

	for (size_t i = 0; i < N_ROWS; i++) {
		if (!row_value(&rows[i], r, &number) || rows[i].optional)
			continue;
		if (rows[i].controller == CGROUP_PIDS && number <= 0)
			continue;
		*(rows[i].controller == CGROUP_PIDS && r->pids_limit_clamp ? &defaults : &asked) |= 1U << rows[i].controller;
	}
	asked |= (r->n_blkio_devices ? 1U << CGROUP_BLKIO : 0) | (r->n_hugepages ? 1U << CGROUP_HUGETLB : 0) |
	         (r->n_net_prios ? 1U << CGROUP_NET_PRIO : 0) | (r->n_rdma ? 1U << CGROUP_RDMA : 0) |
	         (r->n_misc ? 1U << CGROUP_MISC : 0) | (r->perf_event ? 1U << CGROUP_PERF_EVENT : 0);
	*ret_asked = asked;
	*ret_default = defaults;
}

const char *limits_member(const struct spec_resources *r, enum cgroup_controller c)
{
	static const char *const lists[CGROUP_CONTROLLERS] = {
		[CGROUP_BLKIO] = "blockIO",   [CGROUP_HUGETLB] = "hugepageLimits",
		[CGROUP_RDMA] = "rdma",       [CGROUP_NET_PRIO] = "network.priorities",
		[CGROUP_MISC] = "misc",       [CGROUP_DEVICES] = "devices",
		[CGROUP_PERF_EVENT] = "perf_event",
	};
	int64_t number;

	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].controller == c && row_value(&rows[i], r, &number))
			return rows[i].member;
	return lists[c] ? lists[c] : cgroup_names[c];
}

int limits_spell(struct arena *a, const struct spec_resources *r, const enum cgroup_version where[CGROUP_CONTROLLERS],
                 struct limit_list *ret, struct nook_error *e)
{
	struct limit_list list = {0};
	struct speller s = {a, r, where, &list};

	TRY(check(r, where, e));
	for (size_t i = 0; i < N_ROWS; i++)
		TRY(spell_row(&s, &rows[i], e));
	TRY(spell_block_devices(&s, e));
	spell_hugepages(&s);
	spell_net_prios(&s);
	spell_rdma(&s);
	spell_misc(&s);
	*ret = list;
	return 0;
}
