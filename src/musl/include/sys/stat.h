/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include_next <sys/stat.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int statx(int dir, const char *name, int flags, unsigned mask, struct statx *st)
{
	return (int)syscall(SYS_statx, dir, name, flags, mask, st);
}
