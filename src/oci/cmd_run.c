/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/commands.h"
#include "oci/hooks.h"
#include "oci/sd_notify.h"
#include "oci/start.h"
#include "oci/state.h"
#include "runtime/supervise.h"

static const struct opt table[] = {
	START_ROWS,
	{'d', "detach", NULL, OPT_FLAG, START_OF(detach), "return as soon as the program runs"},
	{0, "keep", NULL, OPT_FLAG, START_OF(keep), "keep the state when the program has ended"},
	{0},
};

static void end(struct oci *o, struct store_run *r, struct started *s)
{
	struct nook_error e = NOOK_ERROR_INIT;
	char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];

	/* Detached, it has no supervisor. */
	if (container_remove(r, &s->container, s->container.supervisor ? REMOVE_OWN : REMOVE_FORCE, &e) < 0) {
		(void)nook_error_text(&e, text, sizeof(text));
		oci_warn(o, "%s", text);
	}
	oci_hooks_run_all(o, &s->container, s->spec->hooks[HOOK_POSTSTOP], s->spec->n_hooks[HOOK_POSTSTOP],
		oci_hook_state(o->arena, &s->container, CONTAINER_STOPPED, 0));
}

/* The container runs: to its end, or with --detach until the hooks are done. */
static int attend(struct oci *o, struct store_run *r, const struct start_options *opts, struct started *s, struct nook_error *e)
{
	int status = oci_hooks_run(&s->container, s->spec->hooks[HOOK_POSTSTART], s->spec->n_hooks[HOOK_POSTSTART],
		oci_hook_state(o->arena, &s->container, CONTAINER_RUNNING, s->container.pid), e);

	if (status < 0) {
		end(o, r, s);
		return status;
	}
	if (s->ready >= 0 && opts->detach)
		sd_notify_wait(s->ready, s->container.pid, s->process.pidfd);
	else if (s->ready >= 0)
		sd_notify_watch(s->ready, s->container.pid, s->process.pidfd);
	if (opts->detach)
		return 0;
	if (opts->console_socket)
		close_fd(&s->process.console);
	status = supervise(&s->process, e);
	if (status >= 0)
		s->container.pid = 0; /* reaped: nothing is left to be killed */
	if (!opts->keep)
		end(o, r, s);
	return status;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct start_options *opts = options;
	struct store_run *r = NULL; /* open until the program ends */
	struct started s; /* so is what it holds */
	sigset_t before;

	TRY(oci_start_protect(o, opts, e));
	TRY(oci_store(o, &r, e));
	if (opts->detach)
		supervise_hold_pipe();
	else
		supervise_begin(&before);
	TRY(oci_start(o, r, opts, argv[0], START_AT_ONCE, &s, e));
	return attend(o, r, opts, &s, e);
}

const struct oci_command cmd_run = {
	.name = "run",
	.usage = "[OPTIONS] ID",
	.summary = "create and start a container, and delete it when it has ended",
	.options = table,
	.options_size = sizeof(struct start_options),
	.min_args = 1,
	.max_args = 1,
	.starts = true,
	.run = run,
};
