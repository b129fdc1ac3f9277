/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"

extern const struct command cmd_disk_compact;
extern const struct command cmd_disk_cp;
extern const struct command cmd_disk_create;
extern const struct command cmd_disk_fsck;
extern const struct command cmd_disk_grow;
extern const struct command cmd_disk_inspect;
extern const struct command cmd_disk_ls;
extern const struct command cmd_disk_rm;

static const struct command *const subs[] = {
	&cmd_disk_create, &cmd_disk_ls,   &cmd_disk_inspect, &cmd_disk_grow, &cmd_disk_compact,
	&cmd_disk_fsck,   &cmd_disk_cp,   &cmd_disk_rm,      NULL,
};

const struct command cmd_disk = {
	.name = "disk",
	.usage = "create|ls|inspect|grow|compact|fsck|cp|rm",
	.summary = "keep a whole file system in one file",
	.subs = subs,
	.details = "A disk is an ordinary file with a file system in it.  Only the container that it is given to sees what is in "
	           "it: nook run --disk FILE:DIR mounts it there, nook run img:FILE starts from it.  While a container uses a "
	           "disk, these commands refuse it.",
	.examples = "nook disk create home.img --size 1G\n"
	            "nook run --disk home.img:/home host: sh\n"
	            "nook disk grow home.img --size 2G\n"
	            "nook disk compact home.img\n",
};
