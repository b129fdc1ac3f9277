/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands of `nook cgroup` share: the group is -g CONTROLLERS:PATH (repeatable, as cgexec has it) or the first
 * argument. */
#pragma once

#include "cgroup/named.h"
#include "command/command.h"

#define CGROUP_ARG_OPTION(at) \
	{'g', "group", "CONTROLLERS:PATH", OPT_STRINGS, (at), "the group, instead of the first argument; may be repeated"}

struct cgroup_args {
	struct cgroup_layout layout;
	struct cgroup_named group;
	int argc; /* what is left */
	char **argv;
};

int cgroup_args_read(struct arena *a, const struct opt_list *groups, int argc, char **argv, struct cgroup_args *ret,
                     struct nook_error *e);
/* Opens one directory of the group; when it does not exist, the error says how to make it. */
int cgroup_args_open(const struct cgroup_args *g, size_t i, struct nook_error *e);
