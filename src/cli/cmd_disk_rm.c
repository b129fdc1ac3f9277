/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "disk/disk.h"

#include <stdio.h>

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	int status = 0;

	(void)options, (void)e;
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (disk_remove(argv[i], &one) < 0) {
			cli_error(c, &one);
			status = 1;
		} else {
			(void)puts(argv[i]);
		}
	}
	return status;
}

const struct command cmd_disk_rm = {
	.name = "rm",
	.usage = "FILE...",
	.summary = "remove disks that nobody uses",
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.examples = "nook disk rm home.img\n",
};
