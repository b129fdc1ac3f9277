/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* openat2(2), which libc does not wrap. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The kernel answers EAGAIN when a rename or mount anywhere on the machine raced with a ".." in the name. */
enum { OPENAT2_RACES_MAX = 128 };

/* A close-on-exec descriptor or -errno; RESOLVE is RESOLVE_* of <linux/openat2.h>. */
static inline int openat2_raw(int dir, const char *name, int flags, mode_t mode, uint64_t resolve)
{
	const struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC, .mode = mode, .resolve = resolve};

	for (int i = 0;; i++) {
		long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if ((errno != EAGAIN && errno != EINTR) || i == OPENAT2_RACES_MAX)
			return -errno;
	}
}
