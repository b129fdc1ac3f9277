/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"

#include <stddef.h>

extern const struct command cmd_ns_exec;
extern const struct command cmd_ns_keep;
extern const struct command cmd_ns_ls;
extern const struct command cmd_ns_rm;

static const struct command *const subs[] = {&cmd_ns_ls, &cmd_ns_keep, &cmd_ns_exec, &cmd_ns_rm, NULL};

const struct command cmd_ns = {
	.name = "ns",
	.usage = "ls|keep|exec|rm",
	.summary = "look at namespaces, keep some without a process, run commands in them",
	.subs = subs,
	.examples = "nook ns ls\n"
	            "nook ns keep lab --net --uts\n"
	            "nook ns exec lab -- ip link\n"
	            "nook ns rm lab\n",
};
