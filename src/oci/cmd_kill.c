/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "cgroup/cgroup.h"
#include "oci/commands.h"
#include "oci/select.h"
#include "runtime/signals.h"
#include "sys/pid.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool all, regex;
};

static const struct opt table[] = {
	{'a', "all", NULL, OPT_FLAG, offsetof(struct options, all), "every process of the container"},
	{'r', "regex", NULL, OPT_FLAG, offsetof(struct options, regex), "ID is a regular expression"},
	{0},
};

/* Is init the first process of a pid namespace?  If not, the kernel does not end the others with it. */
static bool ends_all(const struct container *c)
{
	AUTO_VALUE(buf_done) struct buf status = {0};
	char path[64];
	const char *line, *end, *last;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid);
	if (file_read(AT_FDCWD, path, 65536, &status, NULL) < 0)
		return true;
	line = strstr(buf_text(&status), "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (!end)
		return true;
	for (last = end; last > line && last[-1] != '\t';)
		last--;
	return end - last == 1 && *last == '1' && last != line + strlen("\nNSpid:\t");
}

static int kill_one(struct oci *o, struct store_run *r, const char *id, int sig, bool all, struct nook_error *e)
{
	struct container c;
	struct cgroup group;

	TRY(oci_load(o, r, id, &c, e));
	container_cgroup(&c, o->arena, &group);
	if (container_status(&c) == CONTAINER_STOPPED) {
		/* With a shared pid namespace others may have outlived init. */
		if (all && group.n)
			return cgroup_signal(&group, sig, e);
		return err_why(e, STEP_CONTAINER, id, ESRCH, "container not running");
	}
	if (group.n && (all || (sig == SIGKILL && !ends_all(&c)))) {
		TRY(cgroup_signal(&group, sig, e));
	} else {
		auto_close int pidfd = container_pidfd(&c, NULL);

		if (pidfd < 0 || pid_signal(pidfd, sig, NULL) < 0)
			return err_why(e, STEP_CONTAINER, id, ESRCH, "container not running");
	}
	/* On v1 a frozen process dies only when it is thawed. */
	if (sig == SIGKILL && group.n && cgroup_is_frozen(&group) > 0)
		TRY(cgroup_thaw(&group, e));
	return 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	const char **ids;
	size_t n;
	int sig = TRY(signal_parse(argc > 1 ? argv[1] : "TERM", e));

	TRY(oci_store(o, &r, e));
	TRY(oci_select(o, r, argv[0], opts->regex, &ids, &n, e));
	for (size_t i = 0; i < n; i++)
		TRY(kill_one(o, r, ids[i], sig, opts->all, e));
	return 0;
}

const struct oci_command cmd_kill = {
	.name = "kill",
	.usage = "[OPTIONS] ID [SIGNAL]",
	.summary = "send a signal (TERM) to a container's first process",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
