/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"
#include "cli/image_uses.h"
#include "command/bytes.h"
#include "command/table.h"
#include "storage/image.h"
#include "storage/usage.h"

struct options {
	const char *format;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "format", TABLE_FORMAT, OPT_STRING, AT(format), TABLE_FORMAT_HELP},
	{0},
};

static const struct column columns[] = {
	{"TYPE", "type", COLUMN_TEXT},   {"TOTAL", "total", COLUMN_NUMBER}, {"ACTIVE", "active", COLUMN_NUMBER},
	{"SIZE", NULL, COLUMN_TEXT},     {NULL, "bytes", COLUMN_NUMBER},    {"RECLAIMABLE", NULL, COLUMN_TEXT},
	{NULL, "reclaimable", COLUMN_NUMBER}, {0},
};

static const char *number(struct arena *a, uint64_t value)
{
	return arena_printf(a, "%llu", (unsigned long long)value);
}

struct line {
	const char *type;
	uint64_t total, active, bytes, reclaimable;
};

static void add_line(struct table *t, const struct line *l)
{
	struct arena *a = t->arena;
	const char *const cells[] = {
		l->type, number(a, l->total), number(a, l->active), bytes_text(l->bytes, a), number(a, l->bytes),
		bytes_text(l->reclaimable, a), number(a, l->reclaimable),
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == sizeof(columns) / sizeof(columns[0]) - 1, "a cell for each column");
	table_add(t, cells);
}

/* ---- images ---------------------------------------------------------------------------------------------------------- */

static bool uses_layer(const struct image *i, const char *key)
{
	for (size_t n = 0; n < i->n_layers; n++)
		if (text_is(strrchr(i->layers[n], '/') + 1, key))
			return true;
	return false;
}

/* What would be free if all images without a container went. */
static int reclaimable_layers(struct depot *d, const struct image *images, const bool *active, size_t n, struct arena *a,
	uint64_t *ret, struct nook_error *e)
{
	const char **keys = NULL;
	size_t n_keys = 0;

	TRY(names_read(d->fd, "layers", a, &keys, &n_keys, e));
	for (size_t k = 0; k < n_keys; k++) {
		bool needed = false;
		uint64_t bytes = 0;

		for (size_t i = 0; i < n; i++)
			needed |= active[i] && uses_layer(&images[i], keys[k]);
		if (needed)
			continue;
		TRY(usage_of(d->fd, arena_printf(a, "layers/%s", keys[k]), &bytes, e));
		*ret += bytes;
	}
	return 0;
}

static int add_images(struct cli *c, struct table *t, const struct container *containers, size_t n_containers, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct line line = {.type = "Images"};
	struct image *images = NULL;
	uint64_t blobs = 0;
	size_t n = 0;
	bool *active;

	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e))) {
		add_line(t, &line);
		return 0;
	}
	TRY(image_list(d, c->arena, &images, &n, e));
	active = arena_new_n(c->arena, bool, n + 1);
	for (size_t i = 0; i < n; i++) {
		active[i] = image_user(containers, n_containers, images[i].digest) != NULL;
		line.active += active[i];
		if (!active[i])
			blobs += images[i].blob_bytes;
	}
	line.total = n;
	TRY(usage_of(d->fd, ".", &line.bytes, e));
	TRY(reclaimable_layers(d, images, active, n, c->arena, &line.reclaimable, e));
	line.reclaimable += blobs;
	if (line.reclaimable > line.bytes)
		line.reclaimable = line.bytes;
	add_line(t, &line);
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static int add_containers(struct cli *c, struct table *t, int root, const struct container *list, size_t n, struct nook_error *e)
{
	static const char *const folders[] = {"layers", "unpacked"};
	struct line line = {.type = "Containers", .total = n};

	for (size_t i = 0; i < n; i++)
		line.active += container_status(&list[i]) != CONTAINER_STOPPED;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		uint64_t bytes = 0;

		TRY(usage_of(root, folders[i], &bytes, e));
		line.bytes += bytes;
	}
	if (!line.active)
		line.reclaimable = line.bytes;
	(void)c;
	add_line(t, &line);
	return 0;
}

static int add_folder(struct table *t, int root, const char *folder, const char *type, struct nook_error *e)
{
	struct line line = {.type = type};
	const char **names = NULL;
	size_t n = 0;

	TRY(names_read(root, folder, t->arena, &names, &n, e));
	if (!n)
		return 0;
	line.total = n;
	TRY(usage_of(root, folder, &line.bytes, e));
	add_line(t, &line);
	return 0;
}

/* Each container's snapshots have a folder of their own. */
static int add_snapshots(struct table *t, int root, struct nook_error *e)
{
	struct line line = {.type = "Snapshots"};
	const char **owners = NULL, **names = NULL;
	size_t n = 0, n_names = 0;

	TRY(names_read(root, "snapshots", t->arena, &owners, &n, e));
	for (size_t i = 0; i < n; i++) {
		TRY(names_read(root, arena_printf(t->arena, "snapshots/%s", owners[i]), t->arena, &names, &n_names, e));
		line.total += n_names;
	}
	if (!line.total)
		return 0;
	TRY(usage_of(root, "snapshots", &line.bytes, e));
	add_line(t, &line);
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	auto_close int root = open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct table t = {.columns = columns, .arena = c->arena};
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct container *list = NULL;
	size_t n = 0;
	int r;

	TRY(image_uses(c, &list, &n, e));
	TRY(add_images(c, &t, list, n, e));
	if (root >= 0) {
		TRY(add_containers(c, &t, root, list, n, e));
		TRY(add_snapshots(&t, root, e));
		TRY(add_folder(&t, root, "volumes", "Volumes", e));
		TRY(add_folder(&t, root, "disks", "Disks", e));
	}
	TRY(table_write(&t, o->format, &out, e));
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command system_df = {
	.name = "df",
	.usage = "[OPTIONS]",
	.summary = "tell what images, containers, snapshots, volumes and disks take",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.details = "Sizes are what they take on the disk, as du counts. Active images are those that a container was made of; what the "
		   "others take is reclaimable.\n",
	.examples = "nook system df\nnook system df --format json\n",
};
