/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "cli/container_diff.h"
#include "cli/kept.h"
#include "json/out.h"

#include <string.h>

struct options {
	bool json;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "json", NULL, OPT_FLAG, AT(json), "as JSON"},
	{0},
};

static const char *const kind_words[CHANGE_KINDS] = {
	[CHANGE_ADDED] = "added", [CHANGE_CONTENT] = "changed", [CHANGE_META] = "metadata", [CHANGE_TYPE] = "type",
	[CHANGE_DELETED] = "deleted", [CHANGE_REFUSED] = "refused",
};

/* Of a container's root, names begin with a slash, as docker has it. */
struct lines {
	struct buf text;
	const char *top;
};

static int add_line(void *data, const struct change *change, struct nook_error *e)
{
	struct lines *l = data;

	kept_line(change, l->top, &l->text);
	return 0;
}

static int add_object(void *data, const struct change *change, struct nook_error *e)
{
	struct json_out *o = data;

	json_out_object(o, NULL);
	json_out_string(o, "kind", kind_words[change->kind]);
	json_out_string(o, "path", change->path);
	json_out_string(o, "link", change->link);
	json_out_string(o, "why", change->why);
	json_out_u64(o, "mode", change->mode);
	json_out_object_end(o);
	return 0;
}

/* A container by its id or name; otherwise a directory. */
static int open_changes(struct cli *c, const char *name, struct keepdir *k, struct upper *u, int *ret_original, const char **ret_top,
	struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;

	if (strchr(name, '/') || container_id_check(name, NULL) < 0)
		return kept_open(c, name, k, ret_original, e);
	TRY(runtime_open(c->run, c->arena, &r, e));
	if (container_load(r, name, c->arena, &container, NULL) < 0)
		return kept_open(c, name, k, ret_original, e);
	*ret_top = "/";
	return container_diff_open(c, r, &container, u, ret_original, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO_VALUE(keepdir_done) struct keepdir k = KEEPDIR_INIT;
	struct lines l = {.top = ""};
	struct json_out out = {.text = &l.text, .style = JSON_PRETTY};
	const struct changes_how lines = {.tell = add_line, .data = &l}, objects = {.tell = add_object, .data = &out};
	const struct changes_how *how = o->json ? &objects : &lines;
	AUTO_VALUE(upper_done) struct upper u = UPPER_INIT;
	auto_close int original = -EBADF;
	int r;

	TRY(open_changes(c, argv[0], &k, &u, &original, &l.top, e));
	if (o->json)
		json_out_array(&out, NULL);
	if (u.is_whole)
		TRY(container_diff_whole(&u, original, how, e));
	else if (k.upper >= 0 || u.dir >= 0)
		TRY(changes_walk(u.dir >= 0 ? u.dir : k.upper, original, how, e));
	if (o->json) {
		json_out_array_end(&out);
		buf_addc(&l.text, '\n');
	}
	r = fd_write(STDOUT_FILENO, buf_text(&l.text), l.text.len);
	buf_done(&l.text);
	return r < 0 ? err_num(e, STEP_FILE, "stdout", r) : 0;
}

const struct command cmd_diff = {
	.name = "diff",
	.usage = "CONTAINER|DIR",
	.summary = "tell what a container has changed, or a box that keeps its changes in DIR",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.details = "CONTAINER is one of an image that keeps its changes: without --rm, or with --storage; where its root is a copy "
		   "of the image's files, the two are compared. DIR is what nook box --overlay PATH,keep=DIR named. A line is a letter and a path (of a box below PATH): A added, M content "
		   "changed, P only mode, owner or attributes changed, T another type, D deleted (told for every file that is gone), "
		   "! cannot be brought back.",
	.examples = "nook diff web\nnook diff ../changes\nnook diff --json ../changes",
};
