/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec and mv. */
#include "base/text.h"
#include "cgroup/dir.h"
#include "cli/cgroup_args.h"

#include <fcntl.h>
#include <stdio.h>

struct options {
	struct opt_list groups;
};

static const struct opt options_table[] = {
	CGROUP_ARG_OPTION(offsetof(struct options, groups)),
	{0},
};

/* Nook has one thread, so on v1 it may join by the way that does not wait (see cgroup_join_open). */
static int join(const struct cgroup_args *g, size_t i, struct nook_error *e)
{
	auto_close int dir = TRY(cgroup_args_open(g, i, e));
	auto_close int door = openat(dir, cgroup_dir_is_v2(dir) ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);

	if (door < 0 || write(door, "0", 1) < 0)
		return err_sys(e, STEP_CGROUP, g->group.dirs[i].path);
	return 0;
}

static int run_exec(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct cgroup_args g;

	TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
	if (g.argc && text_is(g.argv[0], "--")) {
		g.argc--;
		g.argv++;
	}
	if (!g.argc)
		return err_why(e, STEP_OPTION, "COMMAND", EINVAL, "nothing to run was given");
	for (size_t i = 0; i < g.group.n; i++)
		TRY(join(&g, i, e));
	(void)execvp(g.argv[0], g.argv);
	return err_sys(e, STEP_EXEC, g.argv[0]);
}

const struct command cmd_cgroup_exec = {
	.name = "exec",
	.usage = "[OPTIONS] [CONTROLLERS:]PATH [--] COMMAND [ARG...]",
	.summary = "run a command in a group",
	.options = options_table,
	.options_size = sizeof(struct options),
	.mode = OPT_STOP,
	.min_args = 1,
	.max_args = -1,
	.run = run_exec,
	.details = "As cgexec(1): nook joins the group and becomes the command.\n",
	.examples = "nook cgroup exec lab -- make -j8\n"
	            "nook cgroup exec -g cpu:lab -g memory:big make\n",
};

static int move(const struct cgroup_args *g, const char *text, struct nook_error *e)
{
	uint32_t pid;

	if (text_u32(text, &pid) < 0 || !pid || pid > INT32_MAX)
		return err_why(e, STEP_OPTION, text, EINVAL, "not a process id");
	for (size_t i = 0; i < g->group.n; i++) {
		auto_close int dir = TRY(cgroup_args_open(g, i, e));
		auto_close int door = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		if (door < 0)
			return err_sys(e, STEP_CGROUP, g->group.dirs[i].path);
		if (write(door, text, strlen(text)) < 0)
			return err_fmt(e, STEP_CGROUP, g->group.dirs[i].path, errno, "process %s does not move: %s", text, strerror(errno));
	}
	return 0;
}

static int run_mv(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct cgroup_args g;

	TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
	if (!g.argc)
		return err_why(e, STEP_OPTION, "PID", EINVAL, "no process was named");
	for (int i = 0; i < g.argc; i++)
		TRY(move(&g, g.argv[i], e));
	return 0;
}

const struct command cmd_cgroup_mv = {
	.name = "mv",
	.usage = "[OPTIONS] [CONTROLLERS:]PATH PID...",
	.summary = "move processes into a group",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_mv,
	.details = "As cgclassify(1).  The group / moves them to the top.\n",
	.examples = "nook cgroup mv cpu:lab 4711 4712\n"
	            "nook cgroup mv cpu:/ 4711\n",
};
