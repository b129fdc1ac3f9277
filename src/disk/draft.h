/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new file that gets its name only when it is whole: whoever is killed before leaves nothing. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <limits.h>
#include <sys/types.h>

struct draft {
	int fd;
	char hidden[PATH_MAX]; /* "": it has no name yet, else the one it has until then (where O_TMPFILE is unknown) */
	char self[32];         /* /proc/PID/fd/N: its name for helper programs */
};
#define DRAFT_INIT {.fd = -EBADF}

/* A file that will become PATH; -EEXIST when there is something already. */
int draft_open(struct draft *d, const char *path, struct nook_error *e);
/* The same, and what is there will be replaced. */
int draft_open_over(struct draft *d, const char *path, struct nook_error *e);
/* Gives it its name and MODE in place of what is there; it is not waited for the disk. */
int draft_replace(struct draft *d, const char *path, mode_t mode, struct nook_error *e);
/* Gives it its name: -EEXIST when somebody was faster. */
int draft_publish(struct draft *d, const char *path, struct nook_error *e);
/* Closes it, and removes what was not published. */
void draft_done(struct draft *d);
