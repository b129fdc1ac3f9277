/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resctrl: classes of cache and memory bandwidth are directories of /sys/fs/resctrl.  A class has its limits in
 * "schemata" and its members in "tasks"; "mon_groups" in it has directories that count for some of its members.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

#define RESCTRL_ROOT "/sys/fs/resctrl"

/* The mounted file system as an O_PATH descriptor; -EOPNOTSUPP where there is none. */
int resctrl_open(struct nook_error *e);

enum resctrl_mode {
	RESCTRL_MUST_EXIST, /* the class must be there; what SCHEMATA names must hold in it already */
	RESCTRL_MAKE,       /* it is made when it is missing, with SCHEMATA; one that exists must agree */
	RESCTRL_OWN,        /* made when missing, SCHEMATA written in any case */
};
/* The class CLASS ("." is the default class) with SCHEMATA, lines such as "L3:0=f;1=f" ("": none are asked for).  A class
 * that was made and could not be set up is removed again. */
int resctrl_class(int root, const char *class, const char *schemata, enum resctrl_mode mode, struct nook_error *e);
/* The directory GROUP of a class's mon_groups: made when missing. */
int resctrl_monitor(int root, const char *group, struct nook_error *e);
/* Moves a process, all of whose later threads follow, into the class or monitoring group. */
int resctrl_join(int root, const char *group, pid_t pid, struct nook_error *e);
/* Writes lines into the schemata of a class that exists. */
int resctrl_write(int root, const char *class, const char *schemata, struct nook_error *e);
