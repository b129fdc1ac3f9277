/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause and unpause: for containers, and for any process with all that descends from it. */
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "command/command.h"
#include "runtime/container.h"
#include "spec/spec.h"

#include <stdio.h>

struct options {
	struct opt_list pids;
	struct opt_i64 timeout;
};

#define AT(member) offsetof(struct options, member)
static const struct opt pause_options[] = {
	{'p', "pid", "PID", OPT_STRINGS, AT(pids), "a process and its descendants instead of a container"},
	{'t', "timeout", "TIME", OPT_DURATION, AT(timeout), "give up, and let all run on, after this long (10s)"},
	{0},
};
static const struct opt unpause_options[] = {
	{'p', "pid", "PID", OPT_STRINGS, AT(pids), "a process that was paused with --pid"},
	{0},
};

enum { TIMEOUT_MS = 10000, NS_PER_MS = 1000000 };

static int pause_container(struct cli *cli, const struct container *c, const char *name, int timeout_ms, struct nook_error *e)
{
	struct cgroup group;

	switch (container_status(c)) {
	case CONTAINER_RUNNING:
	case CONTAINER_CREATED:
		container_cgroup(c, cli->arena, &group);
		return cgroup_freeze(&group, timeout_ms, e);
	case CONTAINER_PAUSED:
		return err_why(e, STEP_FREEZE, name, EBUSY, "it is paused already");
	default:
		return err_why(e, STEP_FREEZE, name, ESRCH, "it is not running");
	}
}

static int unpause_container(struct cli *cli, const struct container *c, const char *name, int timeout_ms, struct nook_error *e)
{
	struct cgroup group;

	(void)timeout_ms;
	if (container_status(c) != CONTAINER_PAUSED)
		return err_why(e, STEP_FREEZE, name, EINVAL, "it is not paused");
	container_cgroup(c, cli->arena, &group);
	return cgroup_thaw(&group, e);
}

struct action {
	int (*container)(struct cli *cli, const struct container *c, const char *name, int timeout_ms, struct nook_error *e);
	int (*tree)(pid_t pid, int timeout_ms, struct nook_error *e);
};

static int unpause_tree(pid_t pid, int timeout_ms, struct nook_error *e)
{
	(void)timeout_ms;
	return cgroup_unpause_tree(pid, e);
}

static const struct action pause_action = {pause_container, cgroup_pause_tree};
static const struct action unpause_action = {unpause_container, unpause_tree};

/* Each is tried, and each failure told; the last one is main's to print. */
static int run_all(struct cli *c, const struct options *o, const struct action *action, int argc, char **argv, struct nook_error *e)
{
	int timeout_ms = o->timeout.set ? (int)(o->timeout.value / NS_PER_MS) : TIMEOUT_MS, failed = 0;
	AUTO(runtime_close) struct store_run *r = NULL;

	if (!argc && !o->pids.n)
		return err_why(e, STEP_OPTION, "CONTAINER", EINVAL, "name a container, or a process with --pid");
	if (o->timeout.set && timeout_ms <= 0)
		return err_why(e, STEP_OPTION, "--timeout", EINVAL, "no time to wait in");
	if (argc)
		TRY(runtime_open(c->run, c->arena, &r, e));
	for (size_t i = 0; i < o->pids.n + (size_t)argc; i++) {
		const char *name = i < o->pids.n ? o->pids.items[i] : argv[i - o->pids.n];
		struct container container;
		uint32_t pid = 0;
		int n;

		if (failed < 0)
			cli_error(c, e);
		if (i < o->pids.n) {
			n = text_u32(name, &pid) < 0 || pid > INT32_MAX ? err_why(e, STEP_OPTION, "--pid", EINVAL, "not a process id")
			                                                : action->tree((pid_t)pid, timeout_ms, e);
		} else {
			n = container_load(r, name, c->arena, &container, e);
			n = n < 0 ? n : action->container(c, &container, name, timeout_ms, e);
		}
		if (n >= 0)
			(void)puts(name);
		failed = n < 0 ? n : failed < 0 ? 1 : failed;
	}
	return failed;
}

static int run_pause(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	return run_all(c, options, &pause_action, argc, argv, e);
}

static int run_unpause(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	return run_all(c, options, &unpause_action, argc, argv, e);
}

const struct command cmd_pause = {
	.name = "pause",
	.usage = "[OPTIONS] CONTAINER... | --pid PID",
	.summary = "freeze all processes of a container, or of a process tree",
	.options = pause_options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run_pause,
	.details = "Frozen processes keep memory, files and connections, and get no processor until nook unpause.  When not all\n"
	           "can be frozen in time, none stays frozen.\n"
	           "\n"
	           "With --pid the process and its descendants move into a cgroup of their own below the one they are in, so that\n"
	           "its limits stay; nook unpause --pid puts them back.\n",
	.examples = "nook pause web\n"
	            "nook pause --pid 4711\n",
};

const struct command cmd_unpause = {
	.name = "unpause",
	.usage = "[OPTIONS] CONTAINER... | --pid PID",
	.summary = "let what was paused run on",
	.options = unpause_options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run_unpause,
	.examples = "nook unpause web\n"
	            "nook unpause --pid 4711\n",
};
