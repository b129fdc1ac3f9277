/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "cgroup/cgroup.h"
#include "oci/commands.h"
#include "oci/scope.h"
#include "runtime/plan_file.h"
#include "sys/resctrl.h"

struct options {
	const char *resources, *l3_schema, *mem_schema;
	struct spec_resources r;
};

#define OF(member) offsetof(struct options, member)

static const struct opt table[] = {
	{'r', "resources", "FILE", OPT_STRING, OF(resources), "linux.resources as JSON; - is stdin"},
	{0, "blkio-weight", "WEIGHT", OPT_U64, OF(r.blkio_weight), "block io weight, 10 to 1000"},
	{0, "cpu-period", "US", OPT_U64, OF(r.cpu_period), "length of a period"},
	{0, "cpu-quota", "US", OPT_I64, OF(r.cpu_quota), "cpu time in each period; -1: no limit"},
	{0, "cpu-burst", "US", OPT_U64, OF(r.cpu_burst), "unused cpu time that may be saved up"},
	{0, "cpu-share", "SHARES", OPT_U64, OF(r.cpu_shares), "share of cpu time, 1024 is normal"},
	{0, "cpu-shares", "SHARES", OPT_U64, OF(r.cpu_shares), "the same"},
	{0, "cpu-rt-period", "US", OPT_U64, OF(r.cpu_rt_period), "length of a period for realtime processes"},
	{0, "cpu-rt-runtime", "US", OPT_I64, OF(r.cpu_rt_runtime), "cpu time of realtime processes in each period"},
	{0, "cpu-idle", "0|1", OPT_I64, OF(r.cpu_idle), "1: run only when nobody else wants the cpu"},
	{0, "cpuset-cpus", "LIST", OPT_STRING, OF(r.cpuset_cpus), "processors: 0-3,7"},
	{0, "cpuset-mems", "LIST", OPT_STRING, OF(r.cpuset_mems), "memory nodes: 0,1"},
	{0, "memory", "BYTES", OPT_BYTES, OF(r.memory_limit), "memory limit; -1: none"},
	{0, "memory-reservation", "BYTES", OPT_BYTES, OF(r.memory_reservation), "soft limit"},
	{0, "memory-swap", "BYTES", OPT_BYTES, OF(r.memory_swap), "memory and swap together; -1: no limit"},
	{0, "kernel-memory", "BYTES", OPT_BYTES, OF(r.memory_kernel), "kernel memory (old kernels)"},
	{0, "kernel-memory-tcp", "BYTES", OPT_BYTES, OF(r.memory_kernel_tcp), "kernel memory of tcp buffers (v1)"},
	{0, "l3-cache-schema", "SCHEMA", OPT_STRING, OF(l3_schema), "cache of its resctrl class: L3:0=f;1=f"},
	{0, "mem-bw-schema", "SCHEMA", OPT_STRING, OF(mem_schema), "memory bandwidth of its resctrl class: MB:0=20;1=70"},
	{0, "pids-limit", "N", OPT_I64, OF(r.pids_limit), "number of processes; -1: no limit"},
	{0},
};

static int read_file(const char *name, struct arena *a, struct spec_resources *r, struct nook_error *e)
{
	if (text_is(name, "-"))
		return bundle_read_resources(STDIN_FILENO, "stdin", a, r, e);
	auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, STEP_CONFIG, name);
	return bundle_read_resources(fd, name, a, r, e);
}

static const struct step *rdt_class(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_RDT && !(p->steps[i].flags & RDT_MONITOR))
			return &p->steps[i];
	return NULL;
}

static int update_rdt(struct oci *o, struct store_run *r, const struct options *opts, const char *id, struct nook_error *e)
{
	const char *const lines[] = {opts->l3_schema, opts->mem_schema};
	const struct plan *plan = NULL;
	const struct step *s;

	if (!opts->l3_schema && !opts->mem_schema)
		return 0;
	TRY(plan_load(r, id, o->arena, &plan, e));
	s = rdt_class(plan);
	if (!s)
		return err_why(e, STEP_LIMIT, id, EINVAL, "the container has no class of cache and memory bandwidth (linux.intelRdt)");
	auto_close int root = TRY(resctrl_open(e));

	for (size_t i = 0; i < 2; i++)
		if (lines[i])
			TRY(resctrl_write(root, plan_str(plan, s->pair.key), lines[i], e));
	return 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	struct cgroup_layout layout;
	struct container c;
	struct cgroup group, all;
	static const struct spec_resources none;

	/* As runc has it: with a file the other options do not count. */
	if (opts->resources)
		memset(&opts->r, 0, sizeof(opts->r));
	if (opts->resources)
		TRY(read_file(opts->resources, o->arena, &opts->r, e));
	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[0], &c, e));
	if (container_status(&c) == CONTAINER_STOPPED)
		return err_why(e, STEP_CONTAINER, argv[0], ESRCH, "container not running");
	TRY(update_rdt(o, r, opts, argv[0], e));
	container_cgroup(&c, o->arena, &group);
	/* Without a group all that can be changed has been. */
	if (!group.n && memcmp(&opts->r, &none, sizeof(none)) == 0) /* NOLINT: what lies between the members is zero, too */
		return 0;
	TRY(cgroup_layout_read(o->arena, AT_FDCWD, &layout, e));
	TRY(cgroup_update_groups(o->arena, &layout, &group, &opts->r, &all, e));
	TRY(container_add_cgroups(r, &c, &all, o->arena, e));
	TRY(scope_update(&c, &opts->r, e));
	return cgroup_update(o->arena, &layout, &all, &opts->r, e);
}

const struct oci_command cmd_update = {
	.name = "update",
	.usage = "[OPTIONS] ID",
	.summary = "change the limits of a container",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
