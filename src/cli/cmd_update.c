/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/cgroup.h"
#include "cli/run_options.h"
#include "runtime/container.h"

#include <fcntl.h>
#include <stdio.h>

#define AT(member) offsetof(struct run_options, member)
/* The limits of `nook run` that can change while it runs. */
static const struct opt options_table[] = {
	{'m', "memory", "BYTES", OPT_BYTES, AT(memory), "memory, -1: any; no swap beside it unless --memory-swap says so"},
	{0, "memory-swap", "BYTES", OPT_BYTES, AT(memory_swap), "memory and swap together, -1: any"},
	{0, "memory-reservation", "BYTES", OPT_BYTES, AT(memory_reservation), "memory that is taken from it last"},
	{0, "memory-swappiness", "N", OPT_U64, AT(memory_swappiness), "0 to 100 (v1)"},
	{0, "cpus", "N", OPT_STRING, AT(cpus), "processors' worth of time, such as 0.5"},
	{0, "cpu-shares", "N", OPT_U64, AT(cpu_shares), "share when there is competition (1024)"},
	{0, "cpu-weight", "N", OPT_U64, AT(cpu_weight), "the same as v2 has it, 1 to 10000 (100)"},
	{0, "cpu-quota", "US", OPT_I64, AT(cpu_quota), "processor time per period, -1: any"},
	{0, "cpu-period", "US", OPT_U64, AT(cpu_period), "length of the period (100000)"},
	{0, "cpu-burst", "US", OPT_I64, AT(cpu_burst), "unused quota that may be saved up"},
	{0, "cpu-rt-runtime", "US", OPT_I64, AT(cpu_rt_runtime), "real-time budget per period (v1)"},
	{0, "cpu-rt-period", "US", OPT_U64, AT(cpu_rt_period), "real-time period (v1)"},
	{0, "cpuset-cpus", "LIST", OPT_STRING, AT(cpuset_cpus), "processors it may use: 0-3,8"},
	{0, "cpuset-mems", "LIST", OPT_STRING, AT(cpuset_mems), "memory nodes it may use"},
	{0, "pids-limit", "N", OPT_I64, AT(pids_limit), "processes and threads, -1: any"},
	{0, "blkio-weight", "N", OPT_U64, AT(blkio_weight), "share of block io, 10 to 1000"},
	{0, "blkio-weight-device", "DEVICE:N", OPT_STRINGS, AT(blkio_weight_device), "the same for one device"},
	{0, "device-read-bps", "DEVICE:BYTES", OPT_STRINGS, AT(read_bps), "bytes read per second, 0: any"},
	{0, "device-write-bps", "DEVICE:BYTES", OPT_STRINGS, AT(write_bps), "bytes written per second, 0: any"},
	{0, "device-read-iops", "DEVICE:N", OPT_STRINGS, AT(read_iops), "reads per second, 0: any"},
	{0, "device-write-iops", "DEVICE:N", OPT_STRINGS, AT(write_iops), "writes per second, 0: any"},
	{0, "hugetlb-limit", "SIZE:BYTES", OPT_STRINGS, AT(hugetlb), "huge pages of one size: 2MB:64m"},
	{0, "net-classid", "N", OPT_STRING, AT(net_classid), "class of its packets: 10:1 or a number"},
	{0, "net-prio", "IF=N", OPT_STRINGS, AT(net_prio), "priority of its packets on an interface"},
	{0, "cgroup-conf", "FILE=VALUE", OPT_STRINGS, AT(unified), "any v2 control file"},
	{0},
};

static int update(struct cli *c, struct store_run *r, const char *name, const struct spec_resources *limits, struct nook_error *e)
{
	struct cgroup_layout layout;
	struct container container;
	struct cgroup group, all;

	TRY(container_load(r, name, c->arena, &container, e));
	if (container_status(&container) == CONTAINER_STOPPED)
		return err_why(e, STEP_LIMIT, name, ESRCH, "it is not running");
	container_cgroup(&container, c->arena, &group);
	TRY(cgroup_layout_read(c->arena, AT_FDCWD, &layout, e));
	TRY(cgroup_update_groups(c->arena, &layout, &group, limits, &all, e));
	TRY(container_add_cgroups(r, &container, &all, c->arena, e));
	return cgroup_update(c->arena, &layout, &all, limits, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	struct run_options *o = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO(spec_free) struct spec *s = spec_new();
	int status = 0;

	if (o->memory.set && !o->memory_swap.set)
		o->memory_swap = o->memory;
	TRY(run_limits(c, o, s, e));
	TRY(runtime_open(c->run, c->arena, &r, e));
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (update(c, r, argv[i], &s->resources, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		} else {
			(void)puts(argv[i]);
		}
	}
	return status;
}

const struct command cmd_update = {
	.name = "update",
	.usage = "OPTIONS CONTAINER...",
	.summary = "change limits of containers while they run",
	.options = options_table,
	.options_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "What is not named stays.  When the kernel refuses one of several limits, those that were written are taken\n"
	           "back as far as it tells what they were.\n",
	.examples = "nook update --cpus 1 -m 1g web\n",
};
