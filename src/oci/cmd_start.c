/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/config.h"
#include "oci/commands.h"
#include "launch/launch.h"
#include "oci/hooks.h"
#include "oci/notify.h"
#include "oci/sd_notify.h"
#include "oci/start.h"
#include "oci/state.h"
#include "sys/pid.h"

#include <time.h>

enum { END_TIMEOUT_MS = 5000 };

/* A process that could not become its program is ending: dockerd deletes the container as soon as it hears of the
 * failure, and gives up when there is still something that runs. */
static void await_end(const struct container *c)
{
	auto_close int pidfd = container_pidfd(c, NULL);

	if (pidfd >= 0)
		(void)pid_wait_end(pidfd, END_TIMEOUT_MS, NULL);
}

/* Opens the gate and notes the time; the directory is locked meanwhile, so of two starts one comes second. */
static int open_gate(struct oci *o, struct store_run *r, const char *id, struct container *c, struct spec *hooks, int *ready,
	struct nook_error *e)
{
	auto_close int dir = container_lock(r, id, e);
	struct notify agent = {.oci = o, .container = c, .status = CONTAINER_CREATED, .store = r};
	const struct launch_hooks to_agent = {.notify = notify_send, .data = &agent};
	struct timespec now;
	int n;

	if (dir < 0)
		return dir == -ENOENT ? err_why(e, STEP_CONTAINER, id, ENOENT, "container does not exist") : dir;
	TRY(oci_load(o, r, id, c, e));
	switch (container_status(c)) {
	case CONTAINER_CREATED:
		break;
	case CONTAINER_STOPPED:
		return err_why(e, STEP_CONTAINER, id, EINVAL, "cannot start a container that has stopped");
	default:
		return err_why(e, STEP_CONTAINER, id, EINVAL, "cannot start a container that is not in the created state");
	}
	if (faccessat(dir, OCI_HOOKS_FILE, F_OK, 0) == 0)
		TRY(config_load_hooks(dir, OCI_HOOKS_FILE, hooks, e));
	auto_close int pidfd = agent.pidfd = TRY(container_pidfd(c, e));

	*ready = sd_notify_listen(dir, e);
	if (*ready < 0 && *ready != -ENOENT)
		return *ready;
	n = launch_go(dir, START_GATE, c->pid, pidfd, &to_agent, e);
	/* With these two it waits at no gate: somebody else has started it. */
	if (n < 0 && n != -EALREADY && n != -ESRCH)
		await_end(c);
	TRY(n);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	c->started_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	return container_save(dir, c, e);
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO(spec_free) struct spec *hooks = spec_new();
	auto_close int ready = -EBADF;
	struct container c;
	int n;

	TRY(container_id_check(argv[0], e));
	TRY(oci_store(o, &r, e));
	TRY(open_gate(o, r, argv[0], &c, hooks, &ready, e));
	n = oci_hooks_run(&c, hooks->hooks[HOOK_POSTSTART], hooks->n_hooks[HOOK_POSTSTART],
		oci_hook_state(o->arena, &c, CONTAINER_RUNNING, c.pid), e);
	if (n < 0) {
		(void)container_remove(r, &c, REMOVE_FORCE, NULL);
		oci_hooks_run_all(o, &c, hooks->hooks[HOOK_POSTSTOP], hooks->n_hooks[HOOK_POSTSTOP],
			oci_hook_state(o->arena, &c, CONTAINER_STOPPED, 0));
	}
	if (n == 0 && ready >= 0) {
		auto_close int pidfd = container_pidfd(&c, NULL);

		if (pidfd >= 0)
			sd_notify_wait(ready, c.pid, pidfd);
	}
	return n;
}

const struct oci_command cmd_start = {
	.name = "start",
	.usage = "ID",
	.summary = "let a created container run its program",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
