/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "oci/commands.h"
#include "oci/state.h"

static int run(struct oci *oci, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PRETTY};
	struct container c;
	int n;

	TRY(oci_store(oci, &r, e));
	TRY(oci_load(oci, r, argv[0], &c, e));
	oci_state_write(&o, oci->arena, &c, container_status(&c));
	buf_addc(&text, '\n');
	n = fd_write(STDOUT_FILENO, text.data, text.len);
	return n < 0 ? err_num(e, STEP_STDIO, "stdout", n) : 0;
}

const struct oci_command cmd_state = {
	.name = "state",
	.usage = "ID",
	.summary = "print the state of a container as JSON",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
