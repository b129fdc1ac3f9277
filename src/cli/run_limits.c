/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: limits, from docker's words to OCI's resources. */
#include "cli/run_options.h"

#include "base/text.h"
#include "cgroup/cgroup.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { CPU_PERIOD_US = 100000 };

static int bad(const char *option, const char *text, const char *form, struct nook_error *e)
{
	return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%s\" is not %s", text, form);
}

/* Splits "KEY<separator>VALUE" at the last separator, so that device paths and sizes may hold others. */
static int split(struct arena *a, const char *text, char separator, const char **key, const char **value)
{
	const char *at = strrchr(text, separator);

	if (!at || at == text || !at[1])
		return -EINVAL;
	*key = arena_strndup(a, text, (size_t)(at - text));
	*value = at + 1;
	return 0;
}

static int cpu(const struct run_options *o, struct spec_resources *r, struct nook_error *e)
{
	uint64_t micros = 0;

	if (o->cpus) {
		if (o->cpu_quota.set)
			return err_why(e, STEP_OPTION, "--cpus", EINVAL, "it contradicts --cpu-quota");
		if (text_micros(o->cpus, &micros) < 0 || micros < 10000 || micros > UINT64_C(1000000) * 65536)
			return bad("--cpus", o->cpus, "a number of processors, 0.01 or more", e);
		r->cpu_period = (struct opt_u64){o->cpu_period.set ? o->cpu_period.value : CPU_PERIOD_US, true};
		r->cpu_quota = (struct opt_i64){(int64_t)(micros * r->cpu_period.value / 1000000), true};
	} else {
		r->cpu_quota = o->cpu_quota;
		r->cpu_period = o->cpu_period;
	}
	r->cpu_shares = o->cpu_shares;
	if (o->cpu_weight.set) {
		if (o->cpu_weight.value < 1 || o->cpu_weight.value > 10000)
			return err_why(e, STEP_OPTION, "--cpu-weight", ERANGE, "it is between 1 and 10000");
		r->cpu_shares = (struct opt_u64){cgroup_shares_of_weight(o->cpu_weight.value), true};
	}
	if (o->cpu_burst.set && o->cpu_burst.value < 0)
		return err_why(e, STEP_OPTION, "--cpu-burst", ERANGE, "it cannot be negative");
	if (o->cpu_burst.set)
		r->cpu_burst = (struct opt_u64){(uint64_t)o->cpu_burst.value, true};
	r->cpu_rt_runtime = o->cpu_rt_runtime;
	r->cpu_rt_period = o->cpu_rt_period;
	r->cpuset_cpus = o->cpuset_cpus;
	r->cpuset_mems = o->cpuset_mems;
	return 0;
}

static int device_of(const char *option, const char *path, int64_t *major_out, int64_t *minor_out, struct nook_error *e)
{
	struct stat st;
	unsigned a, b;
	char tail;

	if (sscanf(path, "%u:%u%c", &a, &b, &tail) == 2) {
		*major_out = a;
		*minor_out = b;
		return 0;
	}
	if (stat(path, &st) < 0)
		return err_sys(e, STEP_SOURCE, path);
	if (!S_ISBLK(st.st_mode))
		return err_fmt(e, STEP_OPTION, option, ENOTBLK, "\"%s\" is no block device", path);
	*major_out = major(st.st_rdev);
	*minor_out = minor(st.st_rdev);
	return 0;
}

/* DEVICE:VALUE for one member of the device's entry. */
static int blkio_list(struct cli *c, const char *option, const struct opt_list *list, size_t member, bool bytes,
	struct spec_resources *r, struct nook_error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *path, *value;
		struct spec_blkio_device *d = NULL;
		int64_t a = 0, b = 0;
		uint64_t number = 0;

		if (split(c->arena, list->items[i], ':', &path, &value) < 0 ||
			(bytes ? text_bytes(value, &number) : text_u64(value, &number)) < 0)
			return bad(option, list->items[i], "DEVICE:NUMBER", e);
		TRY(device_of(option, path, &a, &b, e));
		for (size_t k = 0; k < r->n_blkio_devices; k++)
			if (r->blkio_devices[k].major == a && r->blkio_devices[k].minor == b)
				d = &r->blkio_devices[k];
		if (!d) {
			d = arena_push(c->arena, &r->blkio_devices, &r->n_blkio_devices);
			d->major = a;
			d->minor = b;
		}
		*(struct opt_u64 *)((char *)d + member) = (struct opt_u64){number, true};
	}
	return 0;
}

#define MEMBER(name) offsetof(struct spec_blkio_device, name)

static int blkio(struct cli *c, const struct run_options *o, struct spec_resources *r, struct nook_error *e)
{
	r->blkio_weight = o->blkio_weight;
	if (o->blkio_weight.set && (o->blkio_weight.value < 10 || o->blkio_weight.value > 1000))
		return err_why(e, STEP_OPTION, "--blkio-weight", ERANGE, "it is between 10 and 1000");
	TRY(blkio_list(c, "--blkio-weight-device", &o->blkio_weight_device, MEMBER(weight), false, r, e));
	TRY(blkio_list(c, "--device-read-bps", &o->read_bps, MEMBER(read_bps), true, r, e));
	TRY(blkio_list(c, "--device-write-bps", &o->write_bps, MEMBER(write_bps), true, r, e));
	TRY(blkio_list(c, "--device-read-iops", &o->read_iops, MEMBER(read_iops), false, r, e));
	return blkio_list(c, "--device-write-iops", &o->write_iops, MEMBER(write_iops), false, r, e);
}

/* "c 1:3 rwm", "b *:* r", "a" */
static int device_rule(struct cli *c, const char *text, struct spec_resources *r, struct nook_error *e)
{
	struct spec_device_rule rule = {.allow = true, .major = -1, .minor = -1, .access = DEV_READ | DEV_WRITE | DEV_MKNOD};
	char type, first[16] = "*", second[16] = "*", access[4] = "rwm", tail;
	int n = sscanf(text, "%c %15[0-9*]:%15[0-9*] %3[rwm]%c", &type, first, second, access, &tail);
	uint32_t number = 0;

	if ((n != 4 && !(n == 1 && type == 'a' && !text[1])) || !strchr("abc", type))
		return bad("--device-cgroup-rule", text, "\"TYPE MAJOR:MINOR ACCESS\", such as \"c 1:3 rwm\"", e);
	rule.type = type;
	if (!text_is(first, "*")) {
		if (text_u32(first, &number) < 0)
			return bad("--device-cgroup-rule", text, "a device number", e);
		rule.major = number;
	}
	if (!text_is(second, "*")) {
		if (text_u32(second, &number) < 0)
			return bad("--device-cgroup-rule", text, "a device number", e);
		rule.minor = number;
	}
	rule.access = (strchr(access, 'r') ? DEV_READ : 0) | (strchr(access, 'w') ? DEV_WRITE : 0) | (strchr(access, 'm') ? DEV_MKNOD : 0);
	*arena_push(c->arena, &r->devices, &r->n_devices) = rule;
	return 0;
}

/* tc(8) writes a class as two hexadecimal numbers: 10:1 is 0x00100001. */
static int net_classid(const char *text, struct spec_resources *r, struct nook_error *e)
{
	unsigned major_id, minor_id;
	uint64_t number = 0;
	char tail;

	if (sscanf(text, "%4x:%4x%c", &major_id, &minor_id, &tail) == 2)
		number = (uint64_t)major_id << 16 | minor_id;
	else if (text_u64_any(text, &number) < 0 || number > UINT32_MAX)
		return bad("--net-classid", text, "MAJOR:MINOR in hexadecimal, or a number", e);
	r->net_classid = (struct opt_u64){number, true};
	return 0;
}

static int rdma(struct cli *c, const char *text, struct spec_resources *r, struct nook_error *e)
{
	char *save = NULL, *copy = arena_strdup(c->arena, text), *rest = strchr(copy, ':');
	struct spec_rdma *entry = arena_push(c->arena, &r->rdma, &r->n_rdma);

	if (!rest)
		return bad("--rdma", text, "DEVICE:handles=N,objects=N", e);
	*rest++ = 0;
	entry->device = copy;
	for (char *field = strtok_r(rest, ",", &save); field; field = strtok_r(NULL, ",", &save)) {
		const char *handles = text_after(field, "handles="), *objects = text_after(field, "objects=");
		struct opt_u64 *to = handles ? &entry->handles : &entry->objects;

		if ((!handles && !objects) || text_u64(handles ? handles : objects, &to->value) < 0)
			return bad("--rdma", text, "DEVICE:handles=N,objects=N", e);
		to->set = true;
	}
	return 0;
}

static int pairs(struct cli *c, const char *option, const struct opt_list *list, struct spec_pair **to, size_t *n,
	struct nook_error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *equals = strchr(list->items[i], '=');

		if (!equals || equals == list->items[i])
			return bad(option, list->items[i], "NAME=VALUE", e);
		spec_pair_set(c->arena, to, n, arena_strndup(c->arena, list->items[i], (size_t)(equals - list->items[i])), equals + 1);
	}
	return 0;
}

static int lists(struct cli *c, const struct run_options *o, struct spec_resources *r, struct nook_error *e)
{
	const char *key, *value;

	for (size_t i = 0; i < o->device_rules.n; i++)
		TRY(device_rule(c, o->device_rules.items[i], r, e));
	for (size_t i = 0; i < o->hugetlb.n; i++) {
		struct spec_hugepage *h = arena_push(c->arena, &r->hugepages, &r->n_hugepages);

		if (split(c->arena, o->hugetlb.items[i], ':', &h->size, &value) < 0 || text_bytes(value, &h->limit) < 0)
			return bad("--hugetlb-limit", o->hugetlb.items[i], "SIZE:BYTES", e);
	}
	for (size_t i = 0; i < o->net_prio.n; i++) {
		struct spec_ifprio *p = arena_push(c->arena, &r->net_prios, &r->n_net_prios);

		if (split(c->arena, o->net_prio.items[i], '=', &key, &value) < 0 || text_u32(value, &p->priority) < 0)
			return bad("--net-prio", o->net_prio.items[i], "INTERFACE=NUMBER", e);
		p->name = key;
	}
	for (size_t i = 0; i < o->rdma.n; i++)
		TRY(rdma(c, o->rdma.items[i], r, e));
	TRY(pairs(c, "--misc", &o->misc, &r->misc, &r->n_misc, e));
	return pairs(c, "--cgroup-conf", &o->unified, &r->unified, &r->n_unified, e);
}

int run_limits(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	struct spec_resources *r = &s->resources;

	TRY(cpu(o, r, e));
	r->memory_limit = o->memory;
	r->memory_swap = o->memory_swap;
	r->memory_reservation = o->memory_reservation;
	r->memory_swappiness = o->memory_swappiness;
	r->memory_oom_kill_disable = o->oom_kill_disable;
	if (o->pids_limit.set) {
		r->pids_limit = o->pids_limit;
		r->pids_limit_clamp = false;
	}
	r->perf_event = o->perf_event;
	TRY(blkio(c, o, r, e));
	if (o->net_classid)
		TRY(net_classid(o->net_classid, r, e));
	return lists(c, o, r, e);
}
