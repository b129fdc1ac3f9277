/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ls and tree. */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"
#include "cli/cgroup_args.h"
#include "command/table.h"

#include <dirent.h>
#include <fcntl.h>

/* ---- ls: controllers ------------------------------------------------------------------------------------------------ */

struct ls_options {
	const char *format;
	struct opt_list groups;
};

static const struct opt ls_options[] = {
	{0, "format", "table|json", OPT_STRING, offsetof(struct ls_options, format), "how the controllers are listed"},
	CGROUP_ARG_OPTION(offsetof(struct ls_options, groups)),
	{0},
};

static const struct column columns[] = {
	{"CONTROLLER", "controller", COLUMN_TEXT}, {"VERSION", "version", COLUMN_TEXT}, {"MOUNTED AT", "mount", COLUMN_TEXT},
	{"GROUPS", "groups", COLUMN_NUMBER},       {"NOTE", "note", COLUMN_TEXT},       {0},
};

static int count(int parent, const char *name, int dir, void *context)
{
	(void)parent;
	(void)name;
	(void)dir;
	++*(int *)context;
	return 0;
}

static const char *groups_in(struct arena *a, const char *mount)
{
	auto_close int top = mount ? cgroup_dir_open(mount, NULL) : -EBADF;
	int n = 0;

	return top < 0 || cgroup_walk(top, count, &n) < 0 ? NULL : arena_printf(a, "%d", n);
}

static void add_controller(struct table *t, const struct cgroup_layout *l, int c, unsigned spare)
{
	int i = cgroup_layout_find(l, (enum cgroup_controller)c);
	const struct cgroup_hierarchy *h = i >= 0 ? &l->h[i] : NULL;
	const char *note = "not in this kernel";

	if (h)
		note = h->mount ? "" : "in use, mounted nowhere";
	else if (spare & 1U << c)
		note = "not mounted; nook mounts it when it is asked for";
	else if (l->v2 >= 0 && (c == CGROUP_FREEZER || c == CGROUP_CPUACCT || c == CGROUP_DEVICES || c == CGROUP_PERF_EVENT))
		note = "part of every v2 group";
	const char *const cells[] = {
		h && h->v2 && c == CGROUP_BLKIO ? "io" : cgroup_names[c],
		h ? h->v2 ? "v2" : "v1" : NULL,
		h ? h->mount : NULL,
		groups_in(t->arena, h ? h->mount : NULL),
		note,
	};

	table_add(t, cells);
}

static int list_controllers(struct cli *c, bool json, struct buf *out, struct nook_error *e)
{
	struct table t = {.columns = columns, .arena = c->arena};
	struct cgroup_layout l;
	unsigned spare;

	TRY(cgroup_layout_read(c->arena, AT_FDCWD, &l, e));
	spare = cgroup_layout_spare(&l);
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		add_controller(&t, &l, i, spare);
	for (size_t i = 0; i < l.n; i++) {
		const struct cgroup_hierarchy *h = &l.h[i];
		const char *const cells[] = {h->v2 ? "(v2)" : h->list, h->v2 ? "v2" : "v1", h->mount, groups_in(c->arena, h->mount),
		                             h->v2 ? "freeze, kill, pressure, cpu time, BPF" : "no controllers"};

		if (h->mount && (h->v2 || !h->controllers))
			table_add(&t, cells);
	}
	table_add(&t, (const char *const[]){"ns", NULL, NULL, NULL,
	                                    "removed in Linux 3.0; cgroup namespaces took its place"});
	(json ? table_json : table_text)(&t, out);
	return 0;
}

/* ---- ls: groups ----------------------------------------------------------------------------------------------------- */

struct listing {
	struct buf *out;
	const char *list, *top;
	struct arena *arena;
	const char **names;
	size_t n;
};

/* The group's path below its hierarchy, as the kernel has it for the descriptor. */
static int add_name(int parent, const char *name, int dir, void *context)
{
	struct listing *l = context;
	char path[PATH_MAX];
	const char *rest;

	(void)parent;
	(void)name;
	TRY(fd_real_path(dir, path, sizeof(path)));
	rest = text_after(path, l->top);
	*arena_push(l->arena, &l->names, &l->n) = arena_printf(l->arena, "%s:%s", l->list, rest && *rest ? rest : "/");
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int list_groups(struct cli *c, const struct cgroup_args *g, struct buf *out, struct nook_error *e)
{
	for (size_t i = 0; i < g->group.n; i++) {
		auto_close int dir = TRY(cgroup_args_open(g, i, e));
		struct listing l = {.list = g->group.lists[i], .top = g->group.dirs[i].mount, .arena = c->arena};
		int r = cgroup_walk(dir, add_name, &l);

		if (r < 0)
			return err_num(e, STEP_CGROUP, g->group.dirs[i].path, r);
		if (l.n)
			qsort(l.names, l.n, sizeof(*l.names), by_name);
		for (size_t k = 0; k < l.n; k++)
			buf_addf(out, "%s\n", l.names[k]);
	}
	return 0;
}

static int run_ls(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct ls_options *o = options;
	bool json = o->format && text_is(o->format, "json");
	AUTO_VALUE(buf_done) struct buf out = {0};
	int r;

	if (o->format && !json && !text_is(o->format, "table"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", o->format);
	if (!argc && !o->groups.n)
		TRY(list_controllers(c, json, &out, e));
	for (bool more = argc || o->groups.n; more;) {
		struct cgroup_args g;

		TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
		TRY(list_groups(c, &g, &out, e));
		argc = g.argc;
		argv = g.argv;
		more = argc && !o->groups.n;
	}
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_cgroup_ls = {
	.name = "ls",
	.usage = "[OPTIONS] [CONTROLLERS:[PATH]...]",
	.summary = "list controllers and where they live, or groups",
	.options = ls_options,
	.options_size = sizeof(struct ls_options),
	.max_args = -1,
	.run = run_ls,
	.details = "Without arguments, the controllers, as lssubsys(1); with them, the group and all below it, one a line, as\n"
	           "lscgroup(1).\n",
	.examples = "nook cgroup ls\n"
	            "nook cgroup ls cpu:\n",
};

/* ---- tree ----------------------------------------------------------------------------------------------------------- */

struct tree_options {
	struct opt_list groups;
	bool pids;
};

static const struct opt tree_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct tree_options, groups)),
	{'p', "pids", NULL, OPT_FLAG, offsetof(struct tree_options, pids), "with the processes of each group"},
	{0},
};

enum { TREE_DEPTH = 64 };

struct drawing {
	struct arena *arena;
	struct buf *out;
	bool pids;
};

static void print_pids(struct drawing *d, int dir, const char *indent, bool has_below)
{
	pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_read_pids(d->arena, dir, &pids, &n) < 0)
		return;
	if (!d->pids) {
		if (n)
			buf_addf(d->out, " (%zu)", n);
		buf_addc(d->out, '\n');
		return;
	}
	buf_addc(d->out, '\n');
	for (size_t i = 0; i < n; i++) {
		AUTO_VALUE(buf_done) struct buf name = {0};

		(void)file_read(AT_FDCWD, arena_printf(d->arena, "/proc/%d/comm", (int)pids[i]), 256, &name, NULL);
		buf_addf(d->out, "%s%s %d %.*s\n", indent, has_below ? "│ " : "  ", (int)pids[i], (int)strcspn(buf_text(&name), "\n"),
		         buf_text(&name));
	}
}

static int draw(struct drawing *d, int parent, const char *name, const char *shown, const char *indent, int depth)
{
	auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int copy = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const char **below = NULL;
	size_t n = 0;
	struct dirent *entry;

	if (!stream) {
		close_fd(&copy);
		return errno == ENOENT ? 0 : -errno;
	}
	while ((entry = readdir(stream)))
		if (entry->d_type == DT_DIR && !text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
			*arena_push(d->arena, &below, &n) = arena_strdup(d->arena, entry->d_name);
	(void)closedir(stream);
	if (n)
		qsort(below, n, sizeof(*below), by_name);
	buf_adds(d->out, shown);
	print_pids(d, dir, indent, n > 0);
	for (size_t i = 0; i < n && depth < TREE_DEPTH; i++) {
		bool last = i + 1 == n;

		buf_addf(d->out, "%s%s", indent, last ? "└─ " : "├─ ");
		TRY(draw(d, dir, below[i], below[i], arena_printf(d->arena, "%s%s", indent, last ? "   " : "│  "), depth + 1));
	}
	return 0;
}

static int run_tree(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct tree_options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct drawing d = {.arena = c->arena, .out = &out, .pids = o->pids};
	char *everything[] = {arena_strdup(c->arena, "/"), NULL};
	struct cgroup_args g;
	int r;

	TRY(cgroup_args_read(c->arena, &o->groups, argc ? argc : 1, argc ? argv : everything, &g, e));
	for (size_t i = 0; i < g.group.n; i++) {
		auto_close int dir = TRY(cgroup_args_open(&g, i, e));

		r = draw(&d, dir, ".", arena_printf(c->arena, "%s:/%s", g.group.lists[i], g.group.path), "", 0);
		if (r < 0)
			return err_num(e, STEP_CGROUP, g.group.dirs[i].path, r);
	}
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_cgroup_tree = {
	.name = "tree",
	.usage = "[OPTIONS] [[CONTROLLERS:]PATH]",
	.summary = "draw groups as a tree, with the number of processes in each",
	.options = tree_options,
	.options_size = sizeof(struct tree_options),
	.max_args = 1,
	.run = run_tree,
	.examples = "nook cgroup tree\n"
	            "nook cgroup tree --pids cpu:\n",
};
