/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/commands.h"
#include "oci/start.h"
#include "runtime/supervise.h"

static const struct opt table[] = {
	START_ROWS,
	{0},
};

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct started s;

	TRY(oci_start_protect(o, options, e));
	supervise_hold_pipe();
	TRY(oci_store(o, &r, e));
	TRY(oci_start(o, r, options, argv[0], START_GATED, &s, e));
	started_done(&s);
	return 0;
}

const struct oci_command cmd_create = {
	.name = "create",
	.usage = "[OPTIONS] ID",
	.summary = "make a container from a bundle, up to its first program",
	.options = table,
	.options_size = sizeof(struct start_options),
	.min_args = 1,
	.max_args = 1,
	.starts = true,
	.run = run,
};
