/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/fd.h"
#include "command/ago.h"
#include "command/command.h"
#include "command/table.h"
#include "command/unpaused.h"
#include "runtime/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

/* What all of them begin with. */
static int open_container(struct cli *c, const char *name, struct store_run **ret, struct container *ret_container, struct nook_error *e)
{
	TRY(runtime_open(c->run, c->arena, ret, e));
	return container_load(*ret, name, c->arena, ret_container, e);
}

static int run_create(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;
	const char *name = NULL;

	(void)options;
	TRY(open_container(c, argv[0], &r, &container, e));
	note_unpaused(c, &container);
	TRY(snapshot_create(r, c->root, &container, argc > 1 ? argv[1] : NULL, c->arena, &name, e));
	(void)puts(name);
	return 0;
}

static const struct command snapshot_create_command = {
	.name = "create",
	.usage = "CONTAINER [NAME]",
	.summary = "keep what a container has changed so far",
	.min_args = 1,
	.max_args = 2,
	.run = run_create,
	.examples = "nook snapshot create web before-upgrade\n",
};

struct ls_options {
	bool json;
};
static const struct opt ls_table[] = {
	{0, "json", NULL, OPT_FLAG, offsetof(struct ls_options, json), "as JSON"},
	{0},
};
static const struct column ls_columns[] = {
	{"NAME", "name", COLUMN_TEXT}, {"CREATED", NULL, COLUMN_TEXT}, {NULL, "created", COLUMN_TEXT}, {"BYTES", "bytes", COLUMN_NUMBER}, {0},
};

static int run_ls(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct ls_options *o = options;
	struct table t = {.columns = ls_columns, .arena = c->arena};
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct snapshot *list = NULL;
	struct container container;
	size_t n = 0;

	(void)argc;
	TRY(open_container(c, argv[0], &r, &container, e));
	TRY(snapshot_list(r, c->root, &container, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++) {
		const char *const cells[] = {list[i].name, arena_printf(c->arena, "%s ago", ago_span(c->arena, clock_date_ns() - list[i].created_ns)),
			ago_stamp(c->arena, list[i].created_ns), arena_printf(c->arena, "%" PRIu64, list[i].bytes)};

		table_add(&t, cells);
	}
	(o->json ? table_json : table_text)(&t, &out);
	return fd_write(STDOUT_FILENO, buf_text(&out), out.len);
}

static const struct command snapshot_ls_command = {
	.name = "ls",
	.usage = "[--json] CONTAINER",
	.summary = "list a container's snapshots, the oldest first",
	.options = ls_table,
	.options_size = sizeof(struct ls_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_ls,
	.examples = "nook snapshot ls web\n",
};

static int run_restore(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;

	(void)options, (void)argc;
	TRY(open_container(c, argv[0], &r, &container, e));
	return snapshot_restore(r, c->root, &container, argv[1], e);
}

static const struct command snapshot_restore_command = {
	.name = "restore",
	.usage = "CONTAINER NAME",
	.summary = "make an ended container what it was",
	.min_args = 2,
	.max_args = 2,
	.run = run_restore,
	.examples = "nook snapshot restore web before-upgrade\n",
};

static int run_rm(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;

	(void)options;
	TRY(open_container(c, argv[0], &r, &container, e));
	for (int i = 1; i < argc; i++) {
		TRY(snapshot_remove(r, c->root, &container, argv[i], e));
		(void)puts(argv[i]);
	}
	return 0;
}

static const struct command snapshot_rm_command = {
	.name = "rm",
	.usage = "CONTAINER NAME...",
	.summary = "remove snapshots",
	.min_args = 2,
	.max_args = -1,
	.run = run_rm,
	.examples = "nook snapshot rm web before-upgrade\n",
};

static const struct command *const subs[] = {
	&snapshot_create_command, &snapshot_ls_command, &snapshot_restore_command, &snapshot_rm_command, NULL,
};

const struct command cmd_snapshot = {
	.name = "snapshot",
	.usage = "create|ls|restore|rm",
	.summary = "keep states of a container and go back to them",
	.subs = subs,
	.details = "For containers that keep their changes: nook run --storage dir or disk.  One that runs is paused while it is "
	           "copied.  Blocks are shared where the file system can (xfs, btrfs).  Snapshots go with their container.",
	.examples = "nook run --name web --storage dir debian:12 apt-get install -y nginx\n"
	            "nook snapshot create web installed\n"
	            "nook run container:web rm -r /etc/nginx\n"
	            "nook snapshot restore web installed\n",
};

static int run_clone(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;
	const char *id = NULL;

	(void)options, (void)argc;
	TRY(open_container(c, argv[0], &r, &container, e));
	note_unpaused(c, &container);
	TRY(snapshot_clone(r, c->root, &container, argv[1], c->arena, &id, e));
	(void)puts(id);
	return 0;
}

const struct command cmd_clone = {
	.name = "clone",
	.usage = "CONTAINER NEW",
	.summary = "make another container of what one is now",
	.min_args = 2,
	.max_args = 2,
	.run = run_clone,
	.details = "For containers that keep their changes: nook run --storage dir or disk.  The new one has its own copy of them, "
	           "shares blocks where the file system can, and has never run: nook run container:NEW does.  Where its root is a copy "
	           "of its image's files (the store is on an overlay, NFS or FUSE) both have the same ids, and run one at a time.",
	.examples = "nook clone web web-test\n",
};
