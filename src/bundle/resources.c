/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/tables.h"
#include "spec/spec.h"

/* ---- device rules: absent numbers and words mean "all" -------------------------------------------------------------- */

struct device_rule {
	bool allow;
	char type;
	struct opt_i64 major, minor;
	const char *access;
};

static const struct bind_word rule_words[] = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}, {0}};

static const struct bind device_rule_table[] = {
	{AT(struct device_rule, allow), BIND_BOOL, "allow", .flags = BIND_ALWAYS},
	{AT(struct device_rule, type), BIND_WORD, "type", .words = rule_words},
	{AT(struct device_rule, major), BIND_OPT_INT, "major"},
	{AT(struct device_rule, minor), BIND_OPT_INT, "minor"},
	{AT(struct device_rule, access), BIND_STRING, "access"},
	{0},
};

static const struct {
	char letter;
	unsigned bit;
} accesses[] = {{'r', DEV_READ}, {'w', DEV_WRITE}, {'m', DEV_MKNOD}};

static int read_access(struct bind_reader *r, const char *text, unsigned *ret, struct nook_error *e)
{
	*ret = 0;
	for (; *text; text++) {
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
			bit |= accesses[i].letter == *text ? accesses[i].bit : 0;
		if (!bit) {
			TRY(bind_enter(r, "access", 0, e));
			return bind_refuse(r, e, "\"%c\" is none of r, w and m", *text);
		}
		*ret |= bit;
	}
	return 0;
}

static int read_device_rules(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct spec_resources *resources = member;

	TRY(bind_expect(r, value, JSON_ARRAY, e));
	resources->devices = NULL;
	resources->n_devices = 0;
	for (size_t i = 0; i < json_length(value); i++) {
		struct device_rule rule = {.type = 'a', .access = "rwm"};
		struct spec_device_rule *to;

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_table(r, json_at(value, i), device_rule_table, &rule, e));
		to = arena_push(r->arena, &resources->devices, &resources->n_devices);
		to->allow = rule.allow;
		to->type = rule.type;
		to->major = rule.major.set && rule.major.value >= 0 ? rule.major.value : -1;
		to->minor = rule.minor.set && rule.minor.value >= 0 ? rule.minor.value : -1;
		TRY(read_access(r, *rule.access ? rule.access : "rwm", &to->access, e));
		bind_leave(r);
	}
	return 0;
}

static void write_device_rules(struct json_out *o, const char *key, const void *member)
{
	const struct spec_resources *resources = member;

	if (!resources->n_devices)
		return;
	json_out_array(o, key);
	for (size_t i = 0; i < resources->n_devices; i++) {
		const struct spec_device_rule *from = &resources->devices[i];
		char access[4] = "", *end = access;
		struct device_rule rule = {
			.allow = from->allow,
			.type = from->type,
			.major = {from->major, from->major >= 0},
			.minor = {from->minor, from->minor >= 0},
			.access = access,
		};

		for (size_t k = 0; k < sizeof(accesses) / sizeof(accesses[0]); k++)
			if (from->access & accesses[k].bit)
				*end++ = accesses[k].letter;
		json_out_object(o, NULL);
		bind_write_table(o, device_rule_table, &rule);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static const struct bind_custom device_rules = {read_device_rules, write_device_rules};

/* ---- block devices: five lists in JSON, one row per device in the spec ---------------------------------------------- */

#define DEVICE_NUMBERS                                                                        \
	{AT(struct spec_blkio_device, major), BIND_INT, "major", .flags = BIND_REQUIRED}, \
		{AT(struct spec_blkio_device, minor), BIND_INT, "minor", .flags = BIND_REQUIRED}

static const struct bind weight_table[] = {
	DEVICE_NUMBERS,
	{AT(struct spec_blkio_device, weight), BIND_OPT_UINT, "weight"},
	{AT(struct spec_blkio_device, leaf_weight), BIND_OPT_UINT, "leafWeight"},
	{0},
};

static const struct bind read_bps_table[] = {
	DEVICE_NUMBERS,
	{AT(struct spec_blkio_device, read_bps), BIND_OPT_UINT, "rate", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind write_bps_table[] = {
	DEVICE_NUMBERS,
	{AT(struct spec_blkio_device, write_bps), BIND_OPT_UINT, "rate", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind read_iops_table[] = {
	DEVICE_NUMBERS,
	{AT(struct spec_blkio_device, read_iops), BIND_OPT_UINT, "rate", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind write_iops_table[] = {
	DEVICE_NUMBERS,
	{AT(struct spec_blkio_device, write_iops), BIND_OPT_UINT, "rate", .flags = BIND_REQUIRED},
	{0},
};

/* Which numbers of a device each list carries. */
#define NUMBER(member) offsetof(struct spec_blkio_device, member)
static const struct device_list {
	const char *name;
	const struct bind *table;
	size_t first, second; /* offsets of struct opt_u64; the same twice when there is one */
} device_lists[] = {
	{"weightDevice", weight_table, NUMBER(weight), NUMBER(leaf_weight)},
	{"throttleReadBpsDevice", read_bps_table, NUMBER(read_bps), NUMBER(read_bps)},
	{"throttleWriteBpsDevice", write_bps_table, NUMBER(write_bps), NUMBER(write_bps)},
	{"throttleReadIOPSDevice", read_iops_table, NUMBER(read_iops), NUMBER(read_iops)},
	{"throttleWriteIOPSDevice", write_iops_table, NUMBER(write_iops), NUMBER(write_iops)},
};
enum { DEVICE_LISTS = sizeof(device_lists) / sizeof(device_lists[0]) };

static struct opt_u64 *number_at(const struct spec_blkio_device *d, size_t offset)
{
	return (struct opt_u64 *)((uintptr_t)d + offset);
}

static struct spec_blkio_device *device_row(struct arena *a, struct spec_resources *r, int64_t major, int64_t minor)
{
	struct spec_blkio_device *d;

	for (size_t i = 0; i < r->n_blkio_devices; i++)
		if (r->blkio_devices[i].major == major && r->blkio_devices[i].minor == minor)
			return &r->blkio_devices[i];
	d = arena_push(a, &r->blkio_devices, &r->n_blkio_devices);
	d->major = major;
	d->minor = minor;
	return d;
}

static int read_device_list(struct bind_reader *r, struct json *value, const struct device_list *list,
	struct spec_resources *resources, struct nook_error *e)
{
	TRY(bind_enter(r, list->name, 0, e));
	TRY(bind_expect(r, value, JSON_ARRAY, e));
	for (size_t i = 0; i < json_length(value); i++) {
		struct spec_blkio_device device = {0};

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_table(r, json_at(value, i), list->table, &device, e));
		bind_leave(r);
		struct spec_blkio_device *to = device_row(r->arena, resources, device.major, device.minor);

		*number_at(to, list->first) = *number_at(&device, list->first);
		*number_at(to, list->second) = *number_at(&device, list->second);
	}
	bind_leave(r);
	return 0;
}

static const struct bind block_table[] = {
	{AT(struct spec_resources, blkio_weight), BIND_OPT_UINT, "weight"},
	{AT(struct spec_resources, blkio_leaf_weight), BIND_OPT_UINT, "leafWeight"},
	{0},
};

static int read_block(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	TRY(bind_read_table(r, value, block_table, member, e));
	for (size_t i = 0; i < DEVICE_LISTS; i++) {
		struct json *list = NULL;

		if (json_find(value, device_lists[i].name, &list) && list)
			TRY(read_device_list(r, list, &device_lists[i], member, e));
	}
	return 0;
}

static void write_device_list(struct json_out *o, const struct device_list *list, const struct spec_resources *r)
{
	bool open = false;

	for (size_t i = 0; i < r->n_blkio_devices; i++) {
		const struct spec_blkio_device *d = &r->blkio_devices[i];

		if (!number_at(d, list->first)->set && !number_at(d, list->second)->set)
			continue;
		if (!open)
			json_out_array(o, list->name);
		open = true;
		json_out_object(o, NULL);
		bind_write_table(o, list->table, d);
		json_out_object_end(o);
	}
	if (open)
		json_out_array_end(o);
}

static void write_block(struct json_out *o, const char *key, const void *member)
{
	const struct spec_resources *r = member;

	if (!r->blkio_weight.set && !r->blkio_leaf_weight.set && !r->n_blkio_devices)
		return;
	json_out_object(o, key);
	bind_write_table(o, block_table, r);
	for (size_t i = 0; i < DEVICE_LISTS; i++)
		write_device_list(o, &device_lists[i], r);
	json_out_object_end(o);
}

static const struct bind_custom block = {read_block, write_block};

/* ---- the rest is rows ---------------------------------------------------------------------------------------------- */

static const struct bind memory_table[] = {
	{AT(struct spec_resources, memory_limit), BIND_OPT_INT, "limit"},
	{AT(struct spec_resources, memory_reservation), BIND_OPT_INT, "reservation"},
	{AT(struct spec_resources, memory_swap), BIND_OPT_INT, "swap"},
	{AT(struct spec_resources, memory_kernel), BIND_OPT_INT, "kernel"},
	{AT(struct spec_resources, memory_kernel_tcp), BIND_OPT_INT, "kernelTCP"},
	{AT(struct spec_resources, memory_swappiness), BIND_OPT_UINT, "swappiness"},
	{AT(struct spec_resources, memory_oom_kill_disable), BIND_BOOL, "disableOOMKiller"},
	{AT(struct spec_resources, memory_use_hierarchy), BIND_BOOL, "useHierarchy"},
	{AT(struct spec_resources, memory_check_before_update), BIND_BOOL, "checkBeforeUpdate"},
	{0},
};

static const struct bind cpu_table[] = {
	{AT(struct spec_resources, cpu_shares), BIND_OPT_UINT, "shares"},
	{AT(struct spec_resources, cpu_quota), BIND_OPT_INT, "quota"},
	{AT(struct spec_resources, cpu_burst), BIND_OPT_UINT, "burst"},
	{AT(struct spec_resources, cpu_period), BIND_OPT_UINT, "period"},
	{AT(struct spec_resources, cpu_rt_runtime), BIND_OPT_INT, "realtimeRuntime"},
	{AT(struct spec_resources, cpu_rt_period), BIND_OPT_UINT, "realtimePeriod"},
	{AT(struct spec_resources, cpuset_cpus), BIND_STRING, "cpus"},
	{AT(struct spec_resources, cpuset_mems), BIND_STRING, "mems"},
	{AT(struct spec_resources, cpu_idle), BIND_OPT_INT, "idle"},
	{0},
};

static const struct bind pids_table[] = {
	{AT(struct spec_resources, pids_limit), BIND_OPT_INT, "limit"},
	{0},
};

static const struct bind hugepage_table[] = {
	{AT(struct spec_hugepage, size), BIND_STRING, "pageSize", .flags = BIND_REQUIRED},
	{AT(struct spec_hugepage, limit), BIND_UINT, "limit", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind ifprio_table[] = {
	{AT(struct spec_ifprio, name), BIND_STRING, "name", .flags = BIND_REQUIRED},
	{AT(struct spec_ifprio, priority), BIND_UINT, "priority", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind network_table[] = {
	{AT(struct spec_resources, net_classid), BIND_OPT_UINT, "classID"},
	{LIST(struct spec_resources, net_prios, n_net_prios), BIND_ARRAY, "priorities", .table = ifprio_table},
	{0},
};

static const struct bind rdma_table[] = {
	{AT(struct spec_rdma, handles), BIND_OPT_UINT, "hcaHandles"},
	{AT(struct spec_rdma, objects), BIND_OPT_UINT, "hcaObjects"},
	{0},
};

const struct bind resources_table[] = {
	{LIST(struct spec_resources, unified, n_unified), BIND_MAP, "unified"},
	{.type = BIND_CUSTOM, .name = "devices", .custom = &device_rules},
	{.type = BIND_STRUCT, .name = "memory", .table = memory_table},
	{.type = BIND_STRUCT, .name = "cpu", .table = cpu_table},
	{.type = BIND_STRUCT, .name = "pids", .table = pids_table},
	{.type = BIND_CUSTOM, .name = "blockIO", .custom = &block},
	{LIST(struct spec_resources, hugepages, n_hugepages), BIND_ARRAY, "hugepageLimits", .table = hugepage_table},
	{.type = BIND_STRUCT, .name = "network", .table = network_table},
	{LIST(struct spec_resources, rdma, n_rdma), BIND_OBJECTS, "rdma", .table = rdma_table},
	{0},
};
