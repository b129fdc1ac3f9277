/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/inspect_format.h"
#include "cli/inspect_volume.h"
#include "cli/prune.h"
#include "command/ago.h"
#include "command/command.h"
#include "command/table.h"
#include "json/out.h"
#include "runtime/volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* ---- create -------------------------------------------------------------------------------------------------------------- */

struct create_options {
	const char *driver, *fs;
	struct opt_i64 size;
	struct opt_list labels, opts;
};

#define AT_CREATE(member) offsetof(struct create_options, member)
static const struct opt create_table[] = {
	{'d', "driver", "dir|disk", OPT_STRING, AT_CREATE(driver), "a directory, or a file system in a file"},
	{'s', "size", "BYTES", OPT_BYTES, AT_CREATE(size), "size of a disk, which is its limit"},
	{0, "fs", "ext4|xfs|btrfs", OPT_STRING, AT_CREATE(fs), "its file system (ext4)"},
	{'o', "opt", "KEY=VALUE", OPT_STRINGS, AT_CREATE(opts), "size=1G, fs=xfs: the same as docker has it"},
	{'l', "label", "KEY=VALUE", OPT_STRINGS, AT_CREATE(labels), "a note kept with it"},
	{0},
};

static int parse_labels(struct cli *c, const struct opt_list *list, struct volume *v, struct nook_error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->items[i], *equals = strchr(text, '=');

		if (equals == text)
			return err_fmt(e, STEP_OPTION, "--label", EINVAL, "\"%s\" has no key", text);
		spec_pair_set(c->arena, &v->labels, &v->n_labels,
			equals ? arena_strndup(c->arena, text, (size_t)(equals - text)) : text, equals ? equals + 1 : "");
	}
	return 0;
}

static int parse_opts(const struct opt_list *list, struct volume *v, struct nook_error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *size = text_after(list->items[i], "size="), *fs = text_after(list->items[i], "fs=");

		if (!size && !fs)
			return err_fmt(e, STEP_OPTION, "--opt", EINVAL, "\"%s\" is not size=BYTES or fs=TYPE", list->items[i]);
		if (fs)
			v->fs = fs;
		else if (text_bytes(size, &v->bytes) < 0)
			return err_fmt(e, STEP_OPTION, "--opt", EINVAL, "\"%s\" is no size", size);
	}
	return 0;
}

static int run_create(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct create_options *o = options;
	struct volume v = {.fs = o->fs, .bytes = o->size.set ? (uint64_t)o->size.value : 0};
	const char *half, *other;
	struct timespec now;

	TRY(parse_labels(c, &o->labels, &v, e));
	TRY(parse_opts(&o->opts, &v, e));
	v.driver = o->driver ? text_is(o->driver, "local") ? "dir" : o->driver : v.bytes || v.fs ? "disk" : "dir";
	if (argc) {
		v.name = argv[0];
	} else {
		TRY(container_id_new(c->arena, &half, e));
		TRY(container_id_new(c->arena, &other, e));
		v.name = arena_printf(c->arena, "%s%s", half, other);
		v.anonymous = true;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	v.created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	TRY(volume_create(c->root, &v, c->arena, e));
	(void)puts(v.name);
	return 0;
}

static const struct command volume_create_command = {
	.name = "create",
	.usage = "[OPTIONS] [NAME]",
	.summary = "make a volume",
	.options = create_table,
	.options_size = sizeof(struct create_options),
	.max_args = 1,
	.run = run_create,
	.examples = "nook volume create web\nnook volume create db --size 2G --fs xfs --label tier=data\n",
};

/* ---- ls --------------------------------------------------------------------------------------------------------------------- */

struct ls_options {
	bool quiet, json;
	const char *format;
	struct opt_list filters;
};

#define AT_LS(member) offsetof(struct ls_options, member)
static const struct opt ls_table[] = {
	{'q', "quiet", NULL, OPT_FLAG, AT_LS(quiet), "names only"},
	{0, "json", NULL, OPT_FLAG, AT_LS(json), "as JSON"},
	{0, "format", TABLE_FORMAT, OPT_STRING, AT_LS(format), TABLE_FORMAT_HELP},
	{'f', "filter", "KEY=VALUE", OPT_STRINGS, AT_LS(filters), "name=TEXT, driver=dir|disk, label=KEY[=VALUE], dangling=true|false"},
	{0},
};

static const struct column ls_columns[] = {
	{"NAME", "name", COLUMN_TEXT},       {"DRIVER", "driver", COLUMN_TEXT}, {"CREATED", NULL, COLUMN_TEXT},
	{NULL, "created", COLUMN_TEXT},      {"USED BY", "usedBy", COLUMN_LIST}, {NULL, "anonymous", COLUMN_BOOL}, {0},
};

static bool has_label(const struct volume *v, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	for (size_t i = 0; i < v->n_labels; i++)
		if (strlen(v->labels[i].key) == len && strncmp(v->labels[i].key, text, len) == 0)
			return !equals || text_is(v->labels[i].value, equals + 1);
	return false;
}

/* 1: it is meant; 0: it is not. */
static int passes(const struct volume *v, size_t n_users, const struct opt_list *filters, struct nook_error *e)
{
	for (size_t i = 0; i < filters->n; i++) {
		const char *text = filters->items[i];
		const char *name = text_after(text, "name="), *driver = text_after(text, "driver="), *label = text_after(text, "label=");
		const char *dangling = text_after(text, "dangling=");

		if (!name && !driver && !label && !dangling)
			return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%s\" is not name=, driver=, label= or dangling=", text);
		if ((name && !strstr(v->name, name)) || (driver && !text_is(v->driver, driver)) || (label && !has_label(v, label)) ||
			(dangling && (text_is(dangling, "true") || text_is(dangling, "1")) != (n_users == 0)))
			return 0;
	}
	return 1;
}

static const char *lines(struct arena *a, const char *const *list, size_t n)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s", text, *text ? "\n" : "", list[i]);
	return text;
}

static int run_ls(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct ls_options *o = options;
	struct table t = {.columns = ls_columns, .arena = c->arena};
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct volume *list = NULL;
	size_t n = 0;

	(void)argc, (void)argv;
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(volume_list(c->root, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++) {
		const struct volume *v = &list[i];
		const char **users;
		size_t n_users;

		TRY(volume_users(r, v->name, c->arena, &users, &n_users, e));
		if (!TRY(passes(v, n_users, &o->filters, e)))
			continue;
		if (o->quiet)
			buf_addf(&out, "%s\n", v->name);
		const char *const cells[] = {v->name, v->driver, arena_printf(c->arena, "%s ago", ago_span(c->arena, clock_date_ns() - v->created_ns)), ago_stamp(c->arena, v->created_ns),
			lines(c->arena, users, n_users), v->anonymous ? "yes" : "no"};

		table_add(&t, cells);
	}
	if (!o->quiet)
		TRY(table_write(&t, o->json ? "json" : o->format, &out, e));
	return fd_write(STDOUT_FILENO, buf_text(&out), out.len);
}

static const struct command volume_ls_command = {
	.name = "ls",
	.usage = "[OPTIONS]",
	.summary = "list volumes",
	.options = ls_table,
	.options_size = sizeof(struct ls_options),
	.run = run_ls,
	.examples = "nook volume ls\nnook volume ls -q --filter dangling=true\n",
};

/* ---- inspect ----------------------------------------------------------------------------------------------------------------- */

struct inspect_options {
	const char *format;
};
static const struct opt inspect_table[] = {
	{'f', "format", "TEXT", OPT_STRING, offsetof(struct inspect_options, format),
	 INSPECT_FORMAT_HELP("volume", "{{.name}}, {{.source}} or {{.labels.tier}}")},
	{0},
};

static int run_inspect(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	const struct inspect_options *how = options;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PRETTY};

	TRY(runtime_open(c->run, c->arena, &r, e));
	json_out_array(&o, NULL);
	for (int i = 0; i < argc; i++)
		TRY(inspect_volume(c, r, argv[i], &o, e));
	json_out_array_end(&o);
	buf_addc(&text, '\n');
	return inspect_show(&text, how->format, e);
}

static const struct command volume_inspect_command = {
	.name = "inspect",
	.usage = "[OPTIONS] NAME...",
	.summary = "tell all about volumes, as JSON",
	.options = inspect_table,
	.options_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
	.examples = "nook volume inspect web\nnook volume inspect -f '{{.source}}' web\n",
};

/* ---- rm and prune -------------------------------------------------------------------------------------------------------------- */

struct rm_options {
	bool force;
};
static const struct opt rm_table[] = {
	{'f', "force", NULL, OPT_FLAG, offsetof(struct rm_options, force), "one that does not exist is fine"},
	{0},
};

static int run_rm(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct rm_options *o = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	int status = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;
		int code = volume_remove(r, c->root, argv[i], &one);

		if (code < 0 && !(o->force && code == -ENOENT)) {
			cli_error(c, &one);
			status = 1;
		} else if (code >= 0) {
			(void)puts(argv[i]);
		}
	}
	return status;
}

static const struct command volume_rm_command = {
	.name = "rm",
	.usage = "[-f] NAME...",
	.summary = "remove volumes that no container has",
	.options = rm_table,
	.options_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_rm,
	.examples = "nook volume rm web\n",
};

struct prune_options {
	bool all, force;
	struct opt_list filters;
};
#define AT_PRUNE(member) offsetof(struct prune_options, member)
static const struct opt prune_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT_PRUNE(all), "named ones, too"},
	{'f', "force", NULL, OPT_FLAG, AT_PRUNE(force), "do not ask (it never does; for docker's habits)"},
	{0, "filter", "KEY=VALUE", OPT_STRINGS, AT_PRUNE(filters), "name=TEXT, driver=dir|disk, label=KEY[=VALUE]"},
	{0},
};

int prune_volumes(struct cli *c, enum prune_volumes which, const struct opt_list *filters, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct volume *list = NULL;
	size_t n = 0;

	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(volume_sweep(c->root, e));
	TRY(volume_list(c->root, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++) {
		int code;

		if ((!list[i].anonymous && which == PRUNE_ANONYMOUS) || !TRY(passes(&list[i], 0, filters, e)))
			continue;
		code = volume_remove(r, c->root, list[i].name, e);
		if (code < 0 && code != -EBUSY && code != -ENOENT)
			return code;
		if (code >= 0)
			(void)puts(list[i].name);
	}
	return 0;
}

static int run_prune(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct prune_options *o = options;

	(void)argc, (void)argv;
	return prune_volumes(c, o->all ? PRUNE_ALL_VOLUMES : PRUNE_ANONYMOUS, &o->filters, e);
}

static const struct command volume_prune_command = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "remove volumes that nobody gave a name and no container has",
	.options = prune_table,
	.options_size = sizeof(struct prune_options),
	.run = run_prune,
	.examples = "nook volume prune\nnook volume prune --all --filter label=tier=test\n",
};

/* ---- the command ---------------------------------------------------------------------------------------------------------------- */

static const struct command *const subs[] = {
	&volume_create_command, &volume_ls_command,    &volume_inspect_command,
	&volume_rm_command,     &volume_prune_command, NULL,
};

const struct command cmd_volume = {
	.name = "volume",
	.usage = "create|ls|inspect|rm|prune",
	.summary = "data that outlives containers, under a name",
	.subs = subs,
	.details = "nook run -v NAME:DIR shows a volume at DIR and makes it when there is none.  A new volume is filled with what "
	           "the root has at DIR, once.  One of the driver disk is a file system of its own with a limit; one container at "
	           "a time can write it.",
	.examples = "nook volume create web\n"
	            "nook run -v web:/srv/www host: sh\n"
	            "nook volume ls\n"
	            "nook volume rm web\n",
};
