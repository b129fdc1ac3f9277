/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A temporary directory for a fuzz target, made once and removed at exit. */
#pragma once

#include "base/fd.h"
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>

static char scratch_path[64];

static inline void scratch_remove(void)
{
	(void)tree_remove(AT_FDCWD, scratch_path, NULL);
}

static inline int scratch_make(void)
{
	int dir;

	(void)snprintf(scratch_path, sizeof(scratch_path), "%s/nook-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(scratch_path));
	MUST(atexit(scratch_remove) == 0);
	dir = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dir >= 0);
	return dir;
}

/* The bytes as an open file. */
static inline int scratch_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0 && fd_write(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}
