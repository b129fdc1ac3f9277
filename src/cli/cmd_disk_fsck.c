/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "command/command.h"
#include "disk/disk.h"

#include <stdio.h>

struct options {
	bool repair;
};

static const struct opt options_table[] = {
	{0, "repair", NULL, OPT_FLAG, offsetof(struct options, repair), "mend what is found, instead of only telling"},
	{0},
};

enum { EXIT_DAMAGED = 1 };

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	static const char *const words[] = {[DISK_CLEAN] = "clean", [DISK_REPAIRED] = "repaired", [DISK_DAMAGED] = "damaged"};
	const struct options *o = options;
	AUTO_VALUE(buf_done) struct buf said = {0};
	int health = TRY(disk_check(argv[0], o->repair ? DISK_REPAIR : DISK_LOOK, &said, e));

	(void)argc;
	if (!c->quiet)
		(void)fd_write(STDERR_FILENO, buf_text(&said), said.len);
	(void)printf("%s: %s\n", argv[0], words[health]);
	return health == DISK_DAMAGED ? EXIT_DAMAGED : 0;
}

const struct command cmd_disk_fsck = {
	.name = "fsck",
	.usage = "FILE [--repair]",
	.summary = "check the file system in a disk",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.details = "What the checking program says goes to stderr, the verdict to stdout.  The exit status is 0 when the file "
	           "system is clean or was repaired, 1 when it is damaged.",
	.examples = "nook disk fsck home.img\nnook disk fsck --repair home.img\n",
};
