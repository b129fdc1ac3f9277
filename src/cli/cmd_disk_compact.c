/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "disk/disk.h"

#include <inttypes.h>
#include <stdio.h>

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	uint64_t freed = 0;

	(void)c, (void)options, (void)argc;
	TRY(disk_compact(argv[0], &freed, e));
	(void)printf("%" PRIu64 " bytes freed\n", freed);
	return 0;
}

const struct command cmd_disk_compact = {
	.name = "compact",
	.usage = "FILE",
	.summary = "give back the space of what was deleted in a disk",
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.examples = "nook disk compact home.img\n",
};
