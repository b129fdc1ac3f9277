/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/idfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char known[] = "ids.known";
static const char *const files[] = {"subuid", "subgid", "passwd", "group"};
enum { FILES = sizeof(files) / sizeof(files[0]), SETTLED_S = 3 };

const char *idfiles_path(int etc, const char *name, char room[static IDFILES_PATH])
{
	if (etc != AT_FDCWD)
		return name;
	(void)snprintf(room, IDFILES_PATH, "/etc/%s", name);
	return room;
}

void idfiles_stamp(int etc, char stamp[static IDFILES_STAMP])
{
	size_t len = 0;

	for (size_t i = 0; i < FILES; i++) {
		char path[IDFILES_PATH];
		struct stat st = {0};

		(void)fstatat(etc, idfiles_path(etc, files[i], path), &st, 0); /* absent: all zero */
		len += (size_t)snprintf(stamp + len, IDFILES_STAMP - len, "%s%llu.%lld.%lld.%ld", i ? "," : "",
			(unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
		if (len >= IDFILES_STAMP)
			return;
	}
}

bool idfiles_are_known(int run, const char *stamp)
{
	char text[IDFILES_STAMP];
	ssize_t n = readlinkat(run, known, text, sizeof(text));

	return n > 0 && (size_t)n == strlen(stamp) && !memcmp(text, stamp, (size_t)n);
}

static bool is_settled(int etc)
{
	time_t now = time(NULL);

	for (size_t i = 0; i < FILES; i++) {
		char path[IDFILES_PATH];
		struct stat st;

		if (fstatat(etc, idfiles_path(etc, files[i], path), &st, 0) == 0 && st.st_ctim.tv_sec > now - SETTLED_S)
			return false;
	}
	return true;
}

void idfiles_note(int run, int etc, const char *stamp)
{
	if (!is_settled(etc) || (unlinkat(run, known, 0) < 0 && errno != ENOENT))
		return;
	(void)symlinkat(stamp, run, known); /* it only saves time */
}
