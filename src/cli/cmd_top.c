/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "command/command.h"
#include "command/table.h"
#include "runtime/processes.h"

#include <time.h>

struct options {
	const char *format;
};

static const struct opt options_table[] = {
	{0, "format", "table|json", OPT_STRING, offsetof(struct options, format), "how the list is written"},
	{0},
};

static const struct column columns[] = {
	{"PID", "pid", COLUMN_NUMBER},    {"INSIDE", "pidsInside", COLUMN_LIST}, {"USER", "uid", COLUMN_NUMBER},
	{"HOST USER", "hostUid", COLUMN_NUMBER}, {"%CPU", "cpuPercent", COLUMN_NUMBER}, {"TIME", NULL, COLUMN_NUMBER},
	{NULL, "cpuSeconds", COLUMN_NUMBER}, {"STATE", "state", COLUMN_TEXT},    {"COMMAND", "command", COLUMN_TEXT},
	{0},
};

/* Clock ticks since boot, the scale of start times. */
static double ticks_now(double hz)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9) * hz;
}

static void add_row(struct table *t, const struct process *p, double hz)
{
	double used = (double)(p->stat.user_ticks + p->stat.system_ticks), lived = ticks_now(hz) - (double)p->stat.start;
	long long seconds = (long long)(used / hz);
	struct arena *a = t->arena;
	const char *const cells[] = {
		arena_printf(a, "%d", (int)p->pid),
		p->inner,
		p->uid < 0 ? NULL : arena_printf(a, "%lld", (long long)p->uid),
		arena_printf(a, "%u", p->host_uid),
		arena_printf(a, "%.1f", lived > 0 ? 100 * used / lived : 0.0),
		arena_printf(a, "%lld:%02lld", seconds / 60, seconds % 60),
		arena_printf(a, "%.2f", used / hz),
		arena_printf(a, "%c", p->stat.state),
		p->command,
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(columns) / sizeof(columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	bool json = o->format && text_is(o->format, "json");
	struct table t = {.columns = columns, .arena = c->arena};
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	double hz = (double)sysconf(_SC_CLK_TCK);
	struct process *list = NULL;
	struct container container;
	size_t n = 0;
	int written;

	if (o->format && !json && !text_is(o->format, "table"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", o->format);
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(container_load(r, argv[0], c->arena, &container, e));
	TRY(container_processes(&container, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++)
		add_row(&t, &list[i], hz);
	(json ? table_json : table_text)(&t, &out);
	written = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : 0;
}

const struct command cmd_top = {
	.name = "top",
	.usage = "[OPTIONS] CONTAINER",
	.summary = "list the processes of a container with their pids on the host and inside",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.details = "INSIDE has one pid for each pid namespace below the host's, the container's own first.  USER is the user as the\n"
	           "container counts, HOST USER the one that the kernel checks on the host.  Nothing of the container is run.\n",
	.examples = "nook top web\n",
};
