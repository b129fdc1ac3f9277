/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* get and set. */
#include "base/fd.h"
#include "base/text.h"
#include "cli/cgroup_args.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { VALUE_MAX_BYTES = 4 * 1024 * 1024 };

/* ---- get ------------------------------------------------------------------------------------------------------------ */

struct get_options {
	struct opt_list groups, files;
	bool bare, no_heading;
};

static const struct opt get_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct get_options, groups)),
	{'n', "no-heading", NULL, OPT_FLAG, offsetof(struct get_options, no_heading), "without the line with the group's name"},
	{'r', "file", "FILE", OPT_STRINGS, offsetof(struct get_options, files), "this file only; may be repeated"},
	{'v', "values", NULL, OPT_FLAG, offsetof(struct get_options, bare), "values without names"},
	{0},
};

/* "name: value"; further lines are set in. */
static int print_file(int dir, const char *file, const struct get_options *o, struct buf *out, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	TRY(file_read(dir, file, VALUE_MAX_BYTES, &text, e));
	if (!o->bare)
		buf_addf(out, "%s: ", file);
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	for (const char *p = buf_text(&text); *p; p++) {
		buf_addc(out, *p);
		if (*p == '\n' && !o->bare)
			buf_addc(out, '\t');
	}
	buf_addc(out, '\n');
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int print_all(struct arena *a, int dir, const struct get_options *o, struct buf *out)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const char **names = NULL;
	size_t n = 0;
	struct dirent *entry;

	if (!stream) {
		close_fd(&copy);
		return -errno;
	}
	while ((entry = readdir(stream))) {
		struct stat st;

		/* Files that can only be written have nothing to tell. */
		if (entry->d_type == DT_REG && fstatat(dir, entry->d_name, &st, 0) == 0 && (st.st_mode & 0444))
			*arena_push(a, &names, &n) = arena_strdup(a, entry->d_name);
	}
	(void)closedir(stream);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		(void)print_file(dir, names[i], o, out, NULL);
	return 0;
}

/* The directory that has FILE: by the controller in its name, or the only one there is. */
static int open_for(const struct cgroup_args *g, const char *file, struct nook_error *e)
{
	int i = cgroup_named_find(&g->layout, &g->group, file);
	const char *other = cgroup_other_name(file);

	if (strchr(file, '/'))
		return err_why(e, STEP_LIMIT, file, EINVAL, "no name of a file");
	if (i < 0)
		return err_why(e, STEP_LIMIT, file, ENOENT, "the group is not in the hierarchy that has this file");
	auto_close int dir = TRY(cgroup_args_open(g, (size_t)i, e));

	if (faccessat(dir, file, F_OK, 0) < 0)
		return other ? err_fmt(e, STEP_LIMIT, file, ENOENT, "cgroup %s has no such file; it is %s there",
		                       g->group.dirs[i].v2 ? "v2" : "v1", other)
		             : err_num(e, STEP_LIMIT, file, ENOENT);
	return take_fd(&dir);
}

static int run_get(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct get_options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct cgroup_args g;
	int r;

	TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
	if (!o->no_heading && !o->bare)
		buf_addf(&out, "%s:\n", *g.group.path ? g.group.path : "/");
	for (size_t i = 0; i < o->files.n + (size_t)g.argc; i++) {
		const char *file = i < o->files.n ? o->files.items[i] : g.argv[i - o->files.n];
		auto_close int dir = TRY(open_for(&g, file, e));

		TRY(print_file(dir, file, o, &out, e));
	}
	for (size_t i = 0; !o->files.n && !g.argc && i < g.group.n; i++) {
		auto_close int dir = TRY(cgroup_args_open(&g, i, e));

		r = print_all(c->arena, dir, o, &out);
		if (r < 0)
			return err_num(e, STEP_CGROUP, g.group.dirs[i].path, r);
	}
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_cgroup_get = {
	.name = "get",
	.usage = "[OPTIONS] [CONTROLLERS:]PATH [FILE...]",
	.summary = "print what the files of a group say",
	.options = get_options,
	.options_size = sizeof(struct get_options),
	.max_args = -1,
	.run = run_get,
	.details = "As cgget(1).  Without FILE, all of them.\n",
	.examples = "nook cgroup get memory:lab\n"
	            "nook cgroup get -v lab cpu.shares\n",
};

/* ---- set ------------------------------------------------------------------------------------------------------------ */

struct set_options {
	struct opt_list groups, values;
};

static const struct opt set_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct set_options, groups)),
	{'r', "value", "FILE=VALUE", OPT_STRINGS, offsetof(struct set_options, values), "what to write; may be repeated"},
	{0},
};

static int set_one(struct cli *c, const struct cgroup_args *g, const char *text, struct nook_error *e)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return err_fmt(e, STEP_OPTION, text, EINVAL, "not FILE=VALUE, such as memory.limit_in_bytes=64M");
	const char *file = arena_strndup(c->arena, text, (size_t)(equals - text));
	auto_close int dir = TRY(open_for(g, file, e));
	int r = file_write(dir, file, equals + 1, STEP_LIMIT, NULL);

	return r < 0 ? err_fmt(e, STEP_LIMIT, file, -r, "the kernel does not take \"%.80s\": %s", equals + 1, strerror(-r)) : 0;
}

static int run_set(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct set_options *o = options;
	struct cgroup_args g;

	TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
	if (!o->values.n && !g.argc)
		return err_why(e, STEP_OPTION, "FILE=VALUE", EINVAL, "nothing to set was given");
	for (size_t i = 0; i < o->values.n; i++)
		TRY(set_one(c, &g, o->values.items[i], e));
	for (int i = 0; i < g.argc; i++)
		TRY(set_one(c, &g, g.argv[i], e));
	return 0;
}

const struct command cmd_cgroup_set = {
	.name = "set",
	.usage = "[OPTIONS] [CONTROLLERS:]PATH FILE=VALUE...",
	.summary = "change limits of a group",
	.options = set_options,
	.options_size = sizeof(struct set_options),
	.max_args = -1,
	.run = run_set,
	.details = "As cgset(1).  Values are written as they are, in the given order, at once.\n",
	.examples = "nook cgroup set lab cpu.shares=512 memory.limit_in_bytes=64M\n"
	            "nook cgroup set cpu:lab -r cpu.cfs_quota_us=50000\n",
};
