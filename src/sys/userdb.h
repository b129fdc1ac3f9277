/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users and groups of a container, from its own /etc/passwd and /etc/group: no NSS, no allocation (about 10 KiB of
 * stack), so the child of clone() may ask after pivot_root(2).  ROOT is a descriptor of the container's root.  The files
 * are hostile: looked up inside the root, read only when they are regular, at most USERDB_FILE_MAX bytes of them; what
 * else lies there (a FIFO, a device) counts as an empty file.  A line that is wrong is passed over.
 *
 * Numbers are numbers: what consists of digits is an id from 0 to 4294967294 and never a name, and anything larger is
 * refused (-ERANGE) instead of wrapping round.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USERDB_FILE_MAX = 1 << 20, USERDB_NAME_MAX = 256 };

struct userdb_user {
	uint32_t uid, gid;
	size_t n_groups;
	bool known; /* has a line in /etc/passwd */
	char home[PATH_MAX]; /* "/" when unknown */
};

/* WHO is "user", "user:group", each a name or a number; "" as user is 0.  A user by name must exist (-ENOENT); a number
 * that has no line gets gid 0.  Without ":group", GROUPS receives the gids of the groups that list the user (the primary
 * one not repeated), at most MAX, else -E2BIG; with it, none, as docker has it. */
int userdb_find(int root, const char *who, uint32_t *groups, size_t max, struct userdb_user *ret, struct nook_error *e);
/* The line of a uid: 0, or 1 when it has none (gid 0, home "/"). */
int userdb_by_uid(int root, uint32_t uid, struct userdb_user *ret, struct nook_error *e);
/* The gid of a group, by name or number (--group-add). */
int userdb_group(int root, const char *group, uint32_t *ret, struct nook_error *e);
