/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"
#include "command/command.h"
#include "cli/disk_view.h"
#include "command/table.h"

#include <inttypes.h>
#include <sys/stat.h>

struct options {
	bool json;
};

static const struct opt options_table[] = {
	{0, "json", NULL, OPT_FLAG, offsetof(struct options, json), "as JSON"},
	{0},
};

static const struct column columns[] = {
	{"FILE", "file", COLUMN_TEXT},       {"FS", "fs", COLUMN_TEXT},       {"SIZE", NULL, COLUMN_TEXT},
	{NULL, "bytes", COLUMN_NUMBER},      {"TAKES", NULL, COLUMN_TEXT},    {NULL, "allocated", COLUMN_NUMBER},
	{"IN USE BY", "user", COLUMN_TEXT},  {0},
};

/* 1.5G, 300K: the largest unit of which there is at least one. */
static const char *human(struct arena *a, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	uint64_t unit = 1;
	size_t i = 0;

	while (bytes / unit >= 1024)
		unit *= 1024, i++;
	if (i == 0 || bytes / unit >= 10 || bytes % unit == 0)
		return arena_printf(a, "%" PRIu64 "%c", (bytes + unit / 2) / unit, units[i]);
	return arena_printf(a, "%.1f%c", (double)bytes / (double)unit, units[i]);
}

static void add(struct table *t, const struct disk_view *v)
{
	struct arena *a = t->arena;
	const char *const cells[] = {
		v->path, fsimage_names[v->image.type], human(a, v->bytes), arena_printf(a, "%" PRIu64, v->bytes),
		human(a, v->allocated), arena_printf(a, "%" PRIu64, v->allocated), v->user,
	};

	table_add(t, cells);
}

static int by_name(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Of a directory those files that are disks. */
static int add_folder(struct table *t, const char *folder, struct nook_error *e)
{
	const char **names;
	struct disk_view v;
	size_t n;

	TRY(names_read(AT_FDCWD, folder, t->arena, &names, &n, e));
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		const char *path = text_is(folder, ".") ? names[i] : arena_printf(t->arena, "%s/%s", folder, names[i]);

		if (disk_view_load(path, t->arena, &v, NULL) == 0)
			add(t, &v);
	}
	return 0;
}

static int add_path(struct table *t, const char *path, struct nook_error *e)
{
	struct disk_view v;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, STEP_DISK, path);
	if (S_ISDIR(st.st_mode))
		return add_folder(t, path, e);
	TRY(disk_view_load(path, t->arena, &v, e));
	add(t, &v);
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct table t = {.columns = columns, .arena = c->arena};

	if (!argc)
		TRY(add_path(&t, ".", e));
	for (int i = 0; i < argc; i++)
		TRY(add_path(&t, argv[i], e));
	(o->json ? table_json : table_text)(&t, &out);
	return fd_write(STDOUT_FILENO, buf_text(&out), out.len);
}

const struct command cmd_disk_ls = {
	.name = "ls",
	.usage = "[FILE|DIR...]",
	.summary = "list disks, those of the working directory when nothing is named",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
	.examples = "nook disk ls\nnook disk ls --json /srv/disks\n",
};
