/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open_tree_attr(2), which libc does not wrap. */
#pragma once

#include <errno.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

/* open_tree(2) with OPEN_TREE_CLONE and mount_setattr(2) on what it returns, in one call: a mount descriptor or -errno.  Before
 * Linux 6.15 there is no such call, a filter may not know it, and its errors are those of both: whatever fails is to be
 * tried once more in two steps. */
static inline int opentree_attr(int dir, const char *path, unsigned flags, const struct mount_attr *attr)
{
	long fd = syscall(SYS_open_tree_attr, dir, path, flags, attr, sizeof(*attr));

	return fd < 0 ? -errno : (int)fd;
}
