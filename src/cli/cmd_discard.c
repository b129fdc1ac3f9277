/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "cli/kept.h"

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	for (int i = 0; i < argc; i++) {
		AUTO_VALUE(keepdir_done) struct keepdir k = KEEPDIR_INIT;

		TRY(keepdir_open(argv[i], c->arena, &k, e));
		TRY(tree_remove(AT_FDCWD, argv[i], e));
	}
	return 0;
}

const struct command cmd_discard = {
	.name = "discard",
	.usage = "DIR...",
	.summary = "throw away what a box has changed that keeps its changes in DIR",
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "DIR goes, with all that it keeps. A directory that keeps no changes of a box is left alone, and so is one on which a "
		   "box still runs.",
	.examples = "nook discard ../changes",
};
