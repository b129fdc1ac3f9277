/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"

#include <stddef.h>

extern const struct command cmd_cgroup_create;
extern const struct command cmd_cgroup_exec;
extern const struct command cmd_cgroup_get;
extern const struct command cmd_cgroup_ls;
extern const struct command cmd_cgroup_mv;
extern const struct command cmd_cgroup_restore;
extern const struct command cmd_cgroup_rm;
extern const struct command cmd_cgroup_save;
extern const struct command cmd_cgroup_set;
extern const struct command cmd_cgroup_tree;

static const struct command *const subs[] = {
	&cmd_cgroup_ls, &cmd_cgroup_tree, &cmd_cgroup_create, &cmd_cgroup_rm,   &cmd_cgroup_get,     &cmd_cgroup_set,
	&cmd_cgroup_exec, &cmd_cgroup_mv, &cmd_cgroup_save,   &cmd_cgroup_restore, NULL,
};

const struct command cmd_cgroup = {
	.name = "cgroup",
	.usage = "ls|tree|create|rm|get|set|exec|mv|save|restore",
	.summary = "look at control groups and make some by hand, on v1, v2 and both",
	.subs = subs,
	.details = "A group is named CONTROLLERS:PATH: \"cpu,memory:lab\", \"*:lab\" (all that are mounted), \"v2:lab\" (the v2 tree\n"
	           "without a controller), or \"lab\" alone: everywhere it exists.  A controller is taken where it lives, on v1 or\n"
	           "v2.  A v1 controller that the kernel has and nobody has mounted works as well: it lives as long as its groups.\n",
	.examples = "nook cgroup create cpu,memory:lab\n"
	            "nook cgroup set lab cpu.shares=512 memory.limit_in_bytes=64M\n"
	            "nook cgroup exec lab -- make -j8\n"
	            "nook cgroup rm lab\n",
};
