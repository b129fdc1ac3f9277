/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "command/ago.h"
#include "command/bytes.h"
#include "command/command.h"
#include "command/table.h"
#include "storage/image.h"

struct options {
	bool no_trunc, quiet, human;
	const char *format;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "format", TABLE_FORMAT, OPT_STRING, AT(format), TABLE_FORMAT_HELP},
	{0, "no-trunc", NULL, OPT_FLAG, AT(no_trunc), "do not shorten commands"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "DiffIDs of layers only"},
	{'H', "human", NULL, OPT_FLAG, AT(human), "sizes and times for people (they always are; for docker's habits)"},
	{0},
};

enum { SHORT_COMMAND = 60 };

static const struct column columns[] = {
	{"CREATED", NULL, COLUMN_TEXT, "CreatedSince"}, {NULL, "created", COLUMN_TEXT, "CreatedAt"},    {"CREATED BY", NULL, COLUMN_TEXT},
	{NULL, "createdBy", COLUMN_TEXT}, {"SIZE", NULL, COLUMN_TEXT},     {NULL, "bytes", COLUMN_NUMBER},
	{NULL, "layer", COLUMN_TEXT, "ID"},   {"COMMENT", "comment", COLUMN_TEXT}, {0},
};

static uint64_t layer_bytes(struct depot *d, const char *path)
{
	AUTO(query_free) struct query *q = NULL;
	struct db *db = NULL;

	if (depot_db(d, &db, NULL) < 0 ||
	    db_query(db, &q, NULL, "SELECT bytes FROM layer WHERE key = ?", "s", strrchr(path, '/') + 1) < 0)
		return 0;
	return query_next(q, NULL) > 0 ? (uint64_t)query_int(q, 0) : 0;
}

static void add_row(struct table *t, const struct options *o, const struct image_history *h, const char *layer, uint64_t bytes)
{
	struct arena *a = t->arena;
	const char *by = h->created_by ? h->created_by : "";
	const int64_t created = image_time(h->created);
	const char *const cells[] = {
		created ? arena_printf(a, "%s ago", ago_span(a, clock_date_ns() - created)) : NULL,
		h->created,
		o->no_trunc || strlen(by) <= SHORT_COMMAND ? by : arena_printf(a, "%.*s...", SHORT_COMMAND - 3, by),
		by,
		bytes_text(bytes, a),
		arena_printf(a, "%llu", (unsigned long long)bytes),
		layer,
		h->comment ? h->comment : "",
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(columns) / sizeof(columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

/* The newest first.  Layers that the history does not tell of come with empty words. */
static void add_all(struct table *t, const struct options *o, struct depot *d, const struct image *i, const struct image_config *c)
{
	static const struct image_history untold = {.created_by = "<not told>"};
	size_t layer = 0, told = 0;

	for (size_t n = 0; n < c->n_history; n++)
		told += !c->history[n].empty_layer;
	for (; layer + told < i->n_layers; layer++)
		add_row(t, o, &untold, c->diff_ids[i->n_layers - 1 - layer], layer_bytes(d, i->layers[layer]));
	for (size_t n = c->n_history; n-- > 0;) {
		if (c->history[n].empty_layer || layer == i->n_layers) {
			add_row(t, o, &c->history[n], NULL, 0);
			continue;
		}
		add_row(t, o, &c->history[n], c->diff_ids[i->n_layers - 1 - layer], layer_bytes(d, i->layers[layer]));
		layer++;
	}
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct table t = {.columns = columns, .arena = c->arena};
	AUTO(depot_close) struct depot *d = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct image_config config;
	struct image image;
	int r;

	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, argv[0], ENOENT, "there is no such image");
	TRY(image_find(d, argv[0], c->arena, &image, NULL, e));
	TRY(image_config(d, &image, c->arena, &config, e));
	add_all(&t, o, d, &image, &config);
	TRY(table_write(&t, o->quiet ? "{{.ID}}" : o->format, &out, e));
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_history = {
	.name = "history",
	.usage = "[OPTIONS] IMAGE",
	.summary = "show how an image came to be, the newest layer first",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.examples = "nook history debian:12\nnook history --no-trunc --format json debian:12\n",
};
