/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What containers use now.  Percentages are between two looks, an interval apart. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "command/command.h"
#include "command/table.h"
#include "json/out.h"
#include "runtime/container.h"
#include "spec/spec.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

struct options {
	bool all, no_stream;
	const char *format;
	struct opt_i64 interval;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "also those that do not run"},
	{0, "format", "table|json", OPT_STRING, AT(format), "for people, or an array of objects a line"},
	{'i', "interval", "TIME", OPT_DURATION, AT(interval), "time between two looks (1s; with --no-stream 200ms)"},
	{0, "no-stream", NULL, OPT_FLAG, AT(no_stream), "once, not for ever"},
	{0},
};

enum { STREAM_MS = 1000, ONCE_MS = 200, NET_LIMIT = 1024 * 1024 };

/* One look at one container. */
struct sample {
	const struct container *c;
	struct cgroup_stats s;
	int64_t at_ns;
	bool has_net;
	uint64_t net_received, net_sent;
};
struct look {
	struct sample *items;
	size_t n;
};

/* ---- looking -------------------------------------------------------------------------------------------------------- */

/* The network devices of the container's init, without lo: "  eth0: 123 4 0 0 0 0 0 0 567 ...". */
static void read_net(struct arena *a, struct sample *s)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (!s->c->pid || file_read(AT_FDCWD, arena_printf(a, "/proc/%d/net/dev", (int)s->c->pid), NET_LIMIT, &text, NULL) < 0)
		return;
	for (const char *p = buf_text(&text); *p;) {
		char name[32];
		uint64_t received, sent;

		if (sscanf(p, " %31[^: ]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &received, &sent) == 3 &&
		    !text_is(name, "lo")) {
			s->has_net = true;
			s->net_received += received;
			s->net_sent += sent;
		}
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
}

static bool is_live(const struct container *c)
{
	enum container_status status = container_status(c);

	return status == CONTAINER_RUNNING || status == CONTAINER_PAUSED || status == CONTAINER_CREATED;
}

static void add_sample(struct arena *a, struct look *look, const struct container *c)
{
	struct sample *s = arena_push(a, &look->items, &look->n);
	struct cgroup group;

	s->c = c;
	s->at_ns = clock_ns();
	container_cgroup(c, a, &group);
	/* Gone since it was listed: the row stays, without figures. */
	if (cgroup_stats(a, &group, &s->s, NULL) < 0)
		s->s = (struct cgroup_stats){0};
	read_net(a, s);
}

static int take_look(struct cli *cli, struct arena *a, const struct options *o, int argc, char **argv, struct look *ret,
                     struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct look look = {0};
	struct container *list = NULL;
	size_t n = (size_t)argc;

	TRY(runtime_open(cli->run, a, &r, e));
	if (argc) {
		list = arena_new_n(a, struct container, n);
		for (size_t i = 0; i < n; i++)
			TRY(container_load(r, argv[i], a, &list[i], e));
	} else {
		TRY(container_list(r, a, &list, &n, e));
	}
	for (size_t i = 0; i < n; i++)
		if (argc || o->all || is_live(&list[i]))
			add_sample(a, &look, &list[i]);
	*ret = look;
	return 0;
}

static const struct sample *find(const struct look *look, const char *id)
{
	for (size_t i = 0; i < look->n; i++)
		if (text_is(look->items[i].c->id, id))
			return &look->items[i];
	return NULL;
}

/* 100 is one processor fully used; negative: not known. */
static double cpu_percent(const struct sample *now, const struct look *before)
{
	const struct sample *old = find(before, now->c->id);

	if (!old || !old->s.cpu_total_ns.set || !now->s.cpu_total_ns.set || now->at_ns <= old->at_ns ||
	    now->s.cpu_total_ns.value < old->s.cpu_total_ns.value)
		return -1;
	return 100.0 * (double)(now->s.cpu_total_ns.value - old->s.cpu_total_ns.value) / (double)(now->at_ns - old->at_ns);
}

/* ---- for people ----------------------------------------------------------------------------------------------------- */

static const struct column columns[] = {
	{"CONTAINER ID", NULL, COLUMN_TEXT}, {"NAME", NULL, COLUMN_TEXT},      {"CPU %", NULL, COLUMN_NUMBER},
	{"MEMORY", NULL, COLUMN_NUMBER},     {"LIMIT", NULL, COLUMN_NUMBER},   {"PEAK", NULL, COLUMN_NUMBER},
	{"NET RX", NULL, COLUMN_NUMBER},     {"NET TX", NULL, COLUMN_NUMBER},  {"READ", NULL, COLUMN_NUMBER},
	{"WRITTEN", NULL, COLUMN_NUMBER},    {"PIDS", NULL, COLUMN_NUMBER},    {0},
};

static const char *bytes(struct arena *a, bool is_known, uint64_t value)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double number = (double)value;
	size_t i = 0;

	if (!is_known)
		return NULL;
	for (; number >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		number /= 1024;
	return i ? arena_printf(a, "%.1f %s", number, units[i]) : arena_printf(a, "%" PRIu64 " B", value);
}

static const char *figure(struct arena *a, struct opt_u64 value)
{
	return bytes(a, value.set, value.value);
}

static void add_row(struct table *t, const struct sample *s, const struct look *before)
{
	struct arena *a = t->arena;
	double cpu = cpu_percent(s, before);
	const char *const cells[] = {
		arena_strndup(a, s->c->id, strnlen(s->c->id, 12)),
		s->c->name,
		cpu < 0 ? NULL : arena_printf(a, "%.2f", cpu),
		figure(a, s->s.memory),
		figure(a, s->s.memory_limit),
		figure(a, s->s.memory_peak),
		bytes(a, s->has_net, s->net_received),
		bytes(a, s->has_net, s->net_sent),
		figure(a, s->s.io_read_bytes),
		figure(a, s->s.io_write_bytes),
		s->s.pids.set ? arena_printf(a, "%" PRIu64, s->s.pids.value) : NULL,
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(columns) / sizeof(columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

static void print_table(struct arena *a, const struct look *now, const struct look *before, struct buf *out)
{
	struct table t = {.columns = columns, .arena = a};

	for (size_t i = 0; i < now->n; i++)
		add_row(&t, &now->items[i], before);
	table_text(&t, out);
}

/* ---- for programs --------------------------------------------------------------------------------------------------- */

struct member {
	const char *key;
	size_t at;
};
#define STATS_AT(member) offsetof(struct cgroup_stats, member)
static const struct member members[] = {
	{"cpuTotalNs", STATS_AT(cpu_total_ns)},
	{"cpuUserNs", STATS_AT(cpu_user_ns)},
	{"cpuSystemNs", STATS_AT(cpu_system_ns)},
	{"cpuPeriods", STATS_AT(cpu_periods)},
	{"cpuThrottledPeriods", STATS_AT(cpu_throttled)},
	{"cpuThrottledNs", STATS_AT(cpu_throttled_ns)},
	{"memoryBytes", STATS_AT(memory)},
	{"memoryPeakBytes", STATS_AT(memory_peak)},
	{"memoryLimitBytes", STATS_AT(memory_limit)},
	{"memorySwapBytes", STATS_AT(memory_swap)},
	{"memoryCacheBytes", STATS_AT(memory_cache)},
	{"memoryRssBytes", STATS_AT(memory_rss)},
	{"memoryFailures", STATS_AT(memory_failures)},
	{"oomKills", STATS_AT(oom_kills)},
	{"pids", STATS_AT(pids)},
	{"pidsLimit", STATS_AT(pids_limit)},
	{"ioReadBytes", STATS_AT(io_read_bytes)},
	{"ioWriteBytes", STATS_AT(io_write_bytes)},
	{"ioReads", STATS_AT(io_reads)},
	{"ioWrites", STATS_AT(io_writes)},
	{"cpuStallUs", STATS_AT(cpu_some_us)},
	{"memoryStallUs", STATS_AT(memory_some_us)},
	{"ioStallUs", STATS_AT(io_some_us)},
};

static void print_one(struct json_out *o, const struct sample *s, const struct look *before)
{
	double cpu = cpu_percent(s, before);

	json_out_object(o, NULL);
	json_out_string(o, "id", s->c->id);
	json_out_string(o, "name", s->c->name);
	if (cpu >= 0)
		json_out_double(o, "cpuPercent", cpu);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const struct opt_u64 *value = (const void *)((const char *)&s->s + members[i].at);

		if (value->set)
			json_out_u64(o, members[i].key, value->value);
	}
	json_out_array(o, "cpuPerCpuNs");
	for (size_t i = 0; i < s->s.n_cpus; i++)
		json_out_u64(o, NULL, s->s.per_cpu_ns[i]);
	json_out_array_end(o);
	if (s->has_net) {
		json_out_u64(o, "netReceivedBytes", s->net_received);
		json_out_u64(o, "netSentBytes", s->net_sent);
	}
	json_out_object_end(o);
}

static void print_json(const struct look *now, const struct look *before, struct buf *out)
{
	struct json_out o = {.text = out, .style = JSON_PLAIN};

	json_out_array(&o, NULL);
	for (size_t i = 0; i < now->n; i++)
		print_one(&o, &now->items[i], before);
	json_out_array_end(&o);
	buf_addc(out, '\n');
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

/* Each look lives in an arena of its own, so that watching for days does not grow. */
static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	bool json = o->format && text_is(o->format, "json"), clear = !json && !o->no_stream && isatty(STDOUT_FILENO);
	int wait_ms = o->interval.set ? (int)(o->interval.value / 1000000) : o->no_stream ? ONCE_MS : STREAM_MS;
	AUTO(arena_free) struct arena *old = arena_new();
	struct look before = {0};

	if (o->format && !json && !text_is(o->format, "table"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", o->format);
	if (wait_ms <= 0)
		return err_why(e, STEP_OPTION, "--interval", EINVAL, "no time between two looks");
	TRY(take_look(c, old, o, argc, argv, &before, e));
	for (;;) {
		AUTO(arena_free) struct arena *a = arena_new();
		AUTO_VALUE(buf_done) struct buf out = {0};
		struct look now = {0};
		struct arena *swap;
		int r;

		(void)poll(NULL, 0, wait_ms);
		TRY(take_look(c, a, o, argc, argv, &now, e));
		buf_adds(&out, clear ? "\033[H\033[J" : "");
		if (json)
			print_json(&now, &before, &out);
		else
			print_table(a, &now, &before, &out);
		r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
		if (r < 0)
			return err_num(e, STEP_STDIO, "stdout", r);
		if (o->no_stream)
			return 0;
		before = now;
		swap = old;
		old = a;
		a = swap;
	}
}

const struct command cmd_stats = {
	.name = "stats",
	.usage = "[OPTIONS] [CONTAINER...]",
	.summary = "show what containers use: processor, memory, network, disk, processes",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
	.details = "100 in CPU % is one processor.  A figure that the machine's cgroups do not give is \"-\", and missing in JSON;\n"
	           "LIMIT is \"-\" without a limit.  JSON has more: processor time by user, system and processor, throttling,\n"
	           "page cache, failures, kills for want of memory, and the time stalled for want of a resource.\n",
	.examples = "nook stats\n"
	            "nook stats --no-stream --format json web\n",
};
