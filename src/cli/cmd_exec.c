/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"

#include "base/fd.h"
#include "cli/env.h"
#include "launch/launch.h"
#include "plan/build.h"
#include "runtime/container.h"
#include "runtime/plan_file.h"
#include "runtime/supervise.h"
#include "sys/selfexe.h"

#include <sys/ioctl.h>

struct exec_options {
	bool interactive, tty, no_tty;
	const char *workdir, *user, *explain;
	struct opt_list env, env_files;
	struct opt_u64 preserve_fds;
};

#define AT(member) offsetof(struct exec_options, member)
static const struct opt table[] = {
	{'i', "interactive", NULL, OPT_FLAG, AT(interactive), "keep stdin open (it always is; for docker's habits)"},
	{'t', "tty", NULL, OPT_FLAG, AT(tty), "a terminal of its own (the default when stdin is one)"},
	{'T', "no-tty", NULL, OPT_FLAG, AT(no_tty), "no terminal even when stdin is one"},
	{'w', "workdir", "DIR", OPT_STRING, AT(workdir), "working directory inside"},
	{'u', "user", "USER[:GROUP]", OPT_STRING, AT(user), "run as this user; the container's own when absent"},
	{'e', "env", "NAME[=VALUE]", OPT_STRINGS, AT(env), "set a variable beside the container's"},
	{0, "env-file", "FILE", OPT_STRINGS, AT(env_files), "read variables from a file, one a line"},
	{0, "preserve-fds", "N", OPT_U64, AT(preserve_fds), "pass descriptors 3 to 3+N-1"},
	{0, "explain", "text|why|json", OPT_OPTIONAL, AT(explain), "print the plan and start nothing"},
	{0},
};

static int process_of(struct cli *c, const struct exec_options *o, int argc, char **argv, struct spec_process *p,
	struct nook_error *e)
{
	const char **list = arena_new_n(c->arena, const char *, (size_t)argc + 1);
	struct winsize size;

	for (int i = 0; i < argc; i++)
		list[i] = argv[i];
	p->argv = list;
	p->terminal = o->tty || (!o->no_tty && isatty(STDIN_FILENO));
	if (p->terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		p->rows = size.ws_row;
		p->columns = size.ws_col;
	}
	if (o->workdir && *o->workdir != '/')
		return err_fmt(e, STEP_OPTION, "--workdir", EINVAL, "\"%s\" is not absolute", o->workdir);
	p->cwd = o->workdir;
	p->user.name = o->user;
	p->preserve_fds = (unsigned)o->preserve_fds.value;
	TRY(fds_check_given(p->preserve_fds, e));
	p->die_with_parent = true;
	return env_build(c->arena, &(struct env_sources){NULL, o->env_files, o->env, p->terminal}, &p->env, e);
}

static int not_running(const struct container *c, struct nook_error *e)
{
	return err_why(e, STEP_CONTAINER, c->id, ESRCH, "it is not running");
}

static int exec_started(struct cli *c, const struct container *in, const struct plan *p, struct nook_error *e)
{
	struct launched l = LAUNCHED_INIT;
	sigset_t before;
	int code;

	supervise_begin(&before);
	code = launch(p, &(struct launch_hooks){.alone = true}, &l, e);
	/* What was not asked before, for it would be out of date at once. */
	if (code < 0 && e->step != STEP_EXEC && container_status(in) == CONTAINER_STOPPED)
		code = not_running(in, e);
	if (code < 0) {
		cli_error(c, e);
		return supervise_status(e, code);
	}
	code = supervise(&l, e);
	launched_done(&l);
	return code;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct exec_options *o = options;
	AUTO(runtime_close) struct store_run *store = NULL;
	AUTO(plan_free) struct plan *plan = NULL;
	struct spec_process process = {0};
	struct container container;
	struct plan_join join = {.process = &process};
	const char **groups = NULL;
	size_t n_groups = 0;

	TRY(runtime_open(c->run, c->arena, &store, e));
	TRY(container_load(store, argv[0], c->arena, &container, e));
	switch (container_status_noted(&container)) {
	case CONTAINER_RUNNING:
		break;
	case CONTAINER_PAUSED:
		return err_why(e, STEP_CONTAINER, container.id, EBUSY, "it is paused; nothing would run in it");
	default:
		return not_running(&container, e);
	}
	TRY(container_settle(store, &container, e));
	TRY(plan_load(store, container.id, c->arena, &join.of, e));
	/* As for nook run: before anything is read. */
	if (!join.of->own_ids && !selfexe_is_protected()) {
		selfexe_note_dir();
		TRY(selfexe_protect(c->argv, e));
	}
	TRY(process_of(c, o, argc - 1, argv + 1, &process, e));
	for (size_t i = 0; i < container.n_cgroups; i++)
		*arena_push(c->arena, &groups, &n_groups) = container.cgroups[i];
	(void)arena_push(c->arena, &groups, &n_groups);
	join.cgroups = groups;
	join.pid = container.pid;
	join.pid_start = container.pid_start;
	TRY(plan_build_join(c->arena, &join, &plan, e));
	if (o->explain)
		return plan_explain(plan, o->explain, STDOUT_FILENO, e);
	return exec_started(c, &container, plan, e);
}

const struct command cmd_exec = {
	.name = "exec",
	.usage = "[OPTIONS] CONTAINER [--] COMMAND [ARG...]",
	.summary = "run a command in a container that is running",
	.options = table,
	.options_size = sizeof(struct exec_options),
	.mode = OPT_SOURCE,
	.min_args = 2,
	.max_args = -1,
	.run = run,
	.details = "The command gets the container's namespaces, groups, rights, filters and limits, exactly as they were when it "
		   "was started. The exit status is the command's, as for nook run.",
	.examples = "nook exec web sh\n"
		    "nook exec -u nobody -w /tmp web id",
};
