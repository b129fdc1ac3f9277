/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "cli/kept.h"

struct options {
	bool keep, skip;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "keep", NULL, OPT_FLAG, AT(keep), "do not remove DIR when all is done"},
	{0, "skip", NULL, OPT_FLAG, AT(skip), "leave out what cannot be brought back, instead of refusing all"},
	{0},
};

struct refused {
	size_t n;
	struct buf first;
};

static int count_refused(void *data, const struct change *change, struct nook_error *e)
{
	struct refused *r = data;

	if (change->kind == CHANGE_REFUSED && !r->n++)
		buf_addf(&r->first, "%s: %s", change->path, change->why);
	return 0;
}

static int print(void *data, const struct change *change, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r;

	kept_line(change, "", &text);
	r = fd_write(STDOUT_FILENO, buf_text(&text), text.len);
	return r < 0 ? err_num(e, STEP_FILE, "stdout", r) : 0;
}

/* Nothing is changed when there is something that cannot be. */
static int check(const struct keepdir *k, int original, struct nook_error *e)
{
	struct refused refused = {0};
	const struct changes_how how = {.tell = count_refused, .data = &refused};
	int r = changes_walk(k->upper, original, &how, e);

	if (r >= 0 && refused.n)
		r = err_fmt(e, STEP_FILE, k->where, EPERM, "%zu cannot be brought back (%.150s); --skip leaves out what cannot", refused.n,
			buf_text(&refused.first));
	buf_done(&refused.first);
	return r;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO_VALUE(keepdir_done) struct keepdir k = KEEPDIR_INIT;
	const struct changes_how how = {.tell = c->quiet ? NULL : print, .apply = true, .skip = o->skip};
	auto_close int original = -EBADF;

	TRY(kept_open(c, argv[0], &k, &original, e));
	if (k.upper >= 0 && !o->skip)
		TRY(check(&k, original, e));
	if (k.upper >= 0)
		TRY(changes_walk(k.upper, original, &how, e));
	return o->keep ? 0 : tree_remove(AT_FDCWD, argv[0], e);
}

const struct command cmd_apply = {
	.name = "apply",
	.usage = "[OPTIONS] DIR",
	.summary = "bring back what a box has changed that keeps its changes in DIR",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.details = "What nook diff DIR shows becomes true in the directory that the box saw, and DIR is removed. Nothing outside of that "
		   "directory is touched, whatever the command has made: links are not followed, device nodes, FIFOs and sockets are "
		   "not brought back, nor set-id bits that were not there. A file is replaced at once or not at all.",
	.examples = "nook apply ../changes\nnook apply --skip ../changes",
};
