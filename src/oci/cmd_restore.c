/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/checkpoint.h"
#include "oci/commands.h"
#include "oci/hooks.h"
#include "oci/start.h"
#include "oci/state.h"
#include "runtime/supervise.h"

struct options {
	struct start_options start;
	struct restore_options restore;
};

#define OF(member) offsetof(struct options, restore.member)
#define OF_IMAGE(member) offsetof(struct options, restore.image.member)

static const struct opt table[] = {
	START_ROWS, /* the first member */
	{'d', "detach", NULL, OPT_FLAG, START_OF(detach), "return as soon as the program runs"},
	IMAGE_ROWS(OF_IMAGE),
	{0, "tcp-close", NULL, OPT_FLAG, OF(tcp_close), "tcp connections are closed"},
	{0, "lsm-profile", "TYPE:NAME", OPT_STRING, OF(lsm_profile), "another profile of AppArmor or SELinux"},
	{0, "lsm-mount-context", "CONTEXT", OPT_STRING, OF(lsm_mount_context), "another context of its mounts"},
	{0},
};

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	struct started s;
	sigset_t before;
	int status = 0;

	TRY(oci_start_protect(o, &opts->start, e));
	TRY(oci_store(o, &r, e));
	opts->start.restore = &opts->restore;
	if (opts->start.detach)
		supervise_hold_pipe();
	else
		supervise_begin(&before);
	TRY(oci_start(o, r, &opts->start, argv[0], START_AT_ONCE, &s, e));
	if (!opts->start.detach) {
		if (opts->start.console_socket)
			close_fd(&s.process.console);
		status = supervise(&s.process, e);
		(void)container_remove(r, &s.container, REMOVE_FORCE, NULL);
		oci_hooks_run_all(o, &s.container, s.spec->hooks[HOOK_POSTSTOP], s.spec->n_hooks[HOOK_POSTSTOP],
			oci_hook_state(o->arena, &s.container, CONTAINER_STOPPED, 0));
	}
	started_done(&s);
	return status;
}

const struct oci_command cmd_restore = {
	.name = "restore",
	.usage = "[OPTIONS] ID",
	.summary = "let a container go on that checkpoint has written, by criu(8)",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.starts = true,
	.run = run,
};
