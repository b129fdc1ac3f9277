/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "command/ago.h"
#include "command/command.h"
#include "command/table.h"
#include "runtime/container.h"

struct options {
	bool all, quiet, no_trunc;
	const char *format;
	struct opt_list filters;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "also those that have ended or have not started"},
	{'f', "filter", "KEY=VALUE", OPT_STRINGS, AT(filters), "only those that match: name=, id= (parts of it), status="},
	{0, "format", TABLE_FORMAT, OPT_STRING, AT(format), TABLE_FORMAT_HELP},
	{0, "no-trunc", NULL, OPT_FLAG, AT(no_trunc), "do not shorten ids and commands"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "ids only"},
	{0},
};

enum { SHORT_ID = 12, SHORT_COMMAND = 30 };

static const struct column columns[] = {
	{"CONTAINER ID", NULL, COLUMN_TEXT, "ID"}, {NULL, "id", COLUMN_TEXT},           {"SOURCE", "source", COLUMN_TEXT, "Image"},
	{"COMMAND", NULL, COLUMN_TEXT},      {NULL, "command", COLUMN_TEXT},      {"CREATED", NULL, COLUMN_TEXT, "RunningFor"},
	{NULL, "created", COLUMN_TEXT, "CreatedAt"},      {NULL, "started", COLUMN_TEXT},      {NULL, "finished", COLUMN_TEXT},
	{"STATUS", NULL, COLUMN_TEXT, "Status"},       {NULL, "status", COLUMN_TEXT, "State"},       {NULL, "exitStatus", COLUMN_NUMBER},
	{"PID", "pid", COLUMN_NUMBER},       {"NAME", "name", COLUMN_TEXT, "Names"},       {0},
};

/* A container and what was judged of it now. */
struct row {
	const struct container *c;
	enum container_status status;
};

/* "Up 5 minutes", "Exited (137) 2 hours ago" */
static const char *status_text(struct arena *a, const struct row *row, int64_t now)
{
	const struct container *c = row->c;

	switch (row->status) {
	case CONTAINER_CREATING:
		return "Creating";
	case CONTAINER_CREATED:
		return "Created";
	case CONTAINER_RUNNING:
		return arena_printf(a, "Up %s", ago_span(a, now - c->started_ns));
	case CONTAINER_PAUSED:
		return arena_printf(a, "Up %s (Paused)", ago_span(a, now - c->started_ns));
	case CONTAINER_STOPPED:
		break;
	}
	if (c->damage[0])
		return "Damaged";
	if (c->creating)
		return "Dead (start cut off)";
	if (!c->finished_ns)
		return "Exited";
	return c->exit_status < 0 ? arena_printf(a, "Exited %s ago", ago_span(a, now - c->finished_ns))
	                          : arena_printf(a, "Exited (%d) %s ago", c->exit_status, ago_span(a, now - c->finished_ns));
}

static const char *shorten(struct arena *a, const char *text, size_t max, const char *end)
{
	size_t len = strlen(text);

	if (len <= max)
		return text;
	/* Never through the middle of a UTF-8 sequence. */
	for (len = max; len && (text[len] & 0xc0) == 0x80; len--)
		;
	return arena_printf(a, "%.*s%s", (int)len, text, end);
}

static const char *number(struct arena *a, int64_t value)
{
	return arena_printf(a, "%lld", (long long)value);
}

static void add_row(struct table *t, const struct options *o, const struct row *row, int64_t now)
{
	const struct container *c = row->c;
	struct arena *a = t->arena;
	bool ended = row->status == CONTAINER_STOPPED;
	const char *const cells[] = {
		o->no_trunc ? c->id : shorten(a, c->id, SHORT_ID, ""),
		c->id,
		c->source[0] ? c->source : c->bundle,
		o->no_trunc ? c->command : shorten(a, c->command, SHORT_COMMAND, "..."),
		c->command,
		c->created_ns ? arena_printf(a, "%s ago", ago_span(a, now - c->created_ns)) : NULL,
		ago_stamp(a, c->created_ns),
		ago_stamp(a, c->started_ns),
		ago_stamp(a, c->finished_ns),
		status_text(a, row, now),
		container_status_names[row->status],
		ended && c->exit_status >= 0 ? number(a, c->exit_status) : NULL,
		ended || !c->pid ? NULL : number(a, c->pid),
		c->name,
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(columns) / sizeof(columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

/* ---- filters ------------------------------------------------------------------------------------------------------ */

enum filter_key { FILTER_NAME, FILTER_ID, FILTER_STATUS, FILTER_KEYS };
static const char *const filter_keys[FILTER_KEYS] = {[FILTER_NAME] = "name", [FILTER_ID] = "id", [FILTER_STATUS] = "status"};

struct filter {
	enum filter_key key;
	const char *value;
};

static int check_status(const char *value, struct nook_error *e)
{
	/* docker's word for a container that has ended */
	if (text_is(value, "exited"))
		return CONTAINER_STOPPED;
	for (int i = 0; i <= CONTAINER_STOPPED; i++)
		if (text_is(value, container_status_names[i]))
			return i;
	return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.40s\" is none of creating, created, running, paused, stopped", value);
}

static int filter_parse(const char *text, struct filter *ret, struct nook_error *e)
{
	for (int i = 0; i < FILTER_KEYS; i++) {
		const char *rest = text_after(text, filter_keys[i]);

		if (!rest || *rest != '=')
			continue;
		if (i == FILTER_STATUS)
			TRY(check_status(rest + 1, e));
		*ret = (struct filter){(enum filter_key)i, rest + 1};
		return 0;
	}
	return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.40s\" does not begin with name=, id= or status=", text);
}

static bool matches(const struct filter *f, const struct row *row)
{
	switch (f->key) {
	case FILTER_NAME:
		return strstr(row->c->name, f->value) != NULL;
	case FILTER_ID:
		return strstr(row->c->id, f->value) != NULL;
	default:
		return check_status(f->value, NULL) == (int)row->status;
	}
}

/* Filters of one key are alternatives, those of several must all match: as docker has it. */
static bool passes(const struct filter *filters, size_t n, const struct row *row)
{
	bool asked[FILTER_KEYS] = {0}, met[FILTER_KEYS] = {0};

	for (size_t i = 0; i < n; i++) {
		asked[filters[i].key] = true;
		met[filters[i].key] |= matches(&filters[i], row);
	}
	for (int i = 0; i < FILTER_KEYS; i++)
		if (asked[i] && !met[i])
			return false;
	return true;
}

static int filters_parse(const struct options *o, struct arena *a, struct filter **ret, bool *ret_by_status, struct nook_error *e)
{
	struct filter *filters = arena_new_n(a, struct filter, o->filters.n);

	for (size_t i = 0; i < o->filters.n; i++) {
		TRY(filter_parse(o->filters.items[i], &filters[i], e));
		*ret_by_status |= filters[i].key == FILTER_STATUS;
	}
	*ret = filters;
	return 0;
}

/* ---- the command --------------------------------------------------------------------------------------------------- */

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	bool by_status = false;
	struct table t = {.columns = columns, .arena = c->arena};
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct container *list = NULL;
	struct filter *filters = NULL;
	int64_t now = clock_date_ns();
	size_t n = 0;

	TRY(filters_parse(o, c->arena, &filters, &by_status, e));
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(container_list(r, c->arena, &list, &n, e));
	/* The newest comes first. */
	while (n--) {
		struct row row = {&list[n], CONTAINER_STOPPED};
		bool shown;

		/* Looking at each process is half of the work, and all ids can be told without. */
		if (!o->all || by_status || !o->quiet)
			row.status = container_status(&list[n]);
		shown = o->all || by_status || row.status == CONTAINER_RUNNING || row.status == CONTAINER_PAUSED;
		if (!shown || !passes(filters, o->filters.n, &row))
			continue;
		if (o->quiet)
			buf_addf(&out, "%s\n", o->no_trunc ? row.c->id : shorten(c->arena, row.c->id, SHORT_ID, ""));
		else
			add_row(&t, o, &row, now);
	}
	if (!o->quiet)
		TRY(table_write(&t, o->format, &out, e));
	int written = fd_write(STDOUT_FILENO, buf_text(&out), out.len);

	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : 0;
}

const struct command cmd_ps = {
	.name = "ps",
	.usage = "[OPTIONS]",
	.summary = "list containers",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.examples = "nook ps\nnook ps -a --filter status=stopped\nnook ps --format json\n",
};
