/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/fd.h"
#include "cli/image_filter.h"
#include "command/ago.h"
#include "command/bytes.h"
#include "command/table.h"
#include "image/digest.h"
#include "image/reference.h"

struct options {
	bool all, quiet, no_trunc, digests;
	const char *format;
	struct opt_list filters;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "the same; for docker's habits"},
	{0, "digests", NULL, OPT_FLAG, AT(digests), "also the digests of manifests"},
	{'f', "filter", "KEY=VALUE", OPT_STRINGS, AT(filters), "only those that match: dangling=, reference=PATTERN, label=KEY[=VALUE], until=AGE, before=IMAGE, since=IMAGE"},
	{0, "format", TABLE_FORMAT, OPT_STRING, AT(format), TABLE_FORMAT_HELP},
	{0, "no-trunc", NULL, OPT_FLAG, AT(no_trunc), "do not shorten ids"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "ids only"},
	{0},
};

enum { SHORT_ID = 12 };

static const struct column plain_columns[] = {
	{"REPOSITORY", "repository", COLUMN_TEXT}, {"TAG", "tag", COLUMN_TEXT},         {NULL, "digest", COLUMN_TEXT},
	{"IMAGE ID", NULL, COLUMN_TEXT, "ID"},           {NULL, "id", COLUMN_TEXT},           {NULL, "platform", COLUMN_TEXT},
	{"CREATED", NULL, COLUMN_TEXT, "CreatedSince"},            {NULL, "created", COLUMN_TEXT, "CreatedAt"},      {NULL, "added", COLUMN_TEXT},
	{"SIZE", NULL, COLUMN_TEXT},               {NULL, "bytes", COLUMN_NUMBER},      {NULL, "blobBytes", COLUMN_NUMBER},
	{0},
};
static const struct column digest_columns[] = {
	{"REPOSITORY", "repository", COLUMN_TEXT}, {"TAG", "tag", COLUMN_TEXT},         {"DIGEST", "digest", COLUMN_TEXT},
	{"IMAGE ID", NULL, COLUMN_TEXT, "ID"},           {NULL, "id", COLUMN_TEXT},           {NULL, "platform", COLUMN_TEXT},
	{"CREATED", NULL, COLUMN_TEXT, "CreatedSince"},            {NULL, "created", COLUMN_TEXT, "CreatedAt"},      {NULL, "added", COLUMN_TEXT},
	{"SIZE", NULL, COLUMN_TEXT},               {NULL, "bytes", COLUMN_NUMBER},      {NULL, "blobBytes", COLUMN_NUMBER},
	{0},
};

static const char *short_id(const struct options *o, const char *id, struct arena *a)
{
	return o->no_trunc ? id : arena_printf(a, "%.*s", SHORT_ID, digest_hex(id));
}

/* NAME: canonical, or NULL. */
static void add_row(struct table *t, const struct options *o, const struct image *i, const char *name, int64_t now)
{
	struct arena *a = t->arena;
	struct reference r = {0};
	const bool is_named = name && reference_parse(name, a, &r, NULL) == 0;
	const char *repository = is_named ? reference_familiar(arena_printf(a, "%s/%s", r.registry, r.repository)) : "<none>";
	const char *const cells[] = {
		repository,
		is_named && r.tag ? r.tag : "<none>",
		i->digest,
		short_id(o, i->id, a),
		i->id,
		i->platform,
		i->created_ns ? arena_printf(a, "%s ago", ago_span(a, now - i->created_ns)) : NULL,
		ago_stamp(a, i->created_ns),
		ago_stamp(a, i->added_ns),
		bytes_text(i->bytes, a),
		arena_printf(a, "%llu", (unsigned long long)i->bytes),
		arena_printf(a, "%llu", (unsigned long long)i->blob_bytes),
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(plain_columns) / sizeof(plain_columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

static int list(struct cli *c, const struct options *o, const char *wanted, struct buf *out, struct table *t, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct image_filter filter = {0};
	struct image *images = NULL;
	int64_t now = clock_date_ns();
	size_t n = 0;

	TRY(image_filter_parse(&o->filters, c->arena, &filter, e));
	filter.reference = wanted ? wanted : filter.reference;
	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return 0;
	TRY(image_list(d, c->arena, &images, &n, e));
	for (size_t i = 0; i < n; i++) {
		if (!TRY(image_filter_passes(&filter, d, &images[i], c->arena, e)))
			continue;
		if (o->quiet)
			buf_addf(out, "%s\n", short_id(o, images[i].id, c->arena));
		else if (!images[i].n_names)
			add_row(t, o, &images[i], NULL, now);
		for (size_t k = 0; k < images[i].n_names && !o->quiet; k++)
			if (image_filter_names(&filter, images[i].names[k]))
				add_row(t, o, &images[i], images[i].names[k], now);
	}
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct table t = {.columns = o->digests ? digest_columns : plain_columns, .arena = c->arena};
	AUTO_VALUE(buf_done) struct buf out = {0};
	int r;

	TRY(list(c, o, argc ? argv[0] : NULL, &out, &t, e));
	if (!o->quiet)
		TRY(table_write(&t, o->format, &out, e));
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_images = {
	.name = "images",
	.usage = "[OPTIONS] [NAME]",
	.summary = "list images",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = 1,
	.run = run,
	.details = "NAME, also as a pattern with * and ?, shows only images of that name. The size is what the layers take when they "
		   "are unpacked; layers that images share are counted in each.",
	.examples = "nook images\nnook images 'debian*'\nnook images --filter dangling=true -q\n",
};

const struct command image_ls = {
	.name = "ls",
	.usage = "[OPTIONS] [NAME]",
	.summary = "list images, as nook images does",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = 1,
	.run = run,
	.examples = "nook image ls\nnook image ls --filter dangling=true -q\n",
};
