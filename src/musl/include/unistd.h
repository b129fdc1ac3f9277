/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include_next <unistd.h>
#include <linux/close_range.h>
#include <sys/syscall.h>

static inline int close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
