/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helper programs: found on a fixed search path, never through a shell, with a limit on time and output. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct spawn {
	const char *path;         /* the program; NULL: argv[0], looked up on a fixed path unless it has a slash */
	const char *const *argv;
	const char *const *envp;  /* NULL: PATH only */
	const char *input;        /* written to its stdin, NULL for /dev/null */
	size_t input_len;
	int timeout_ms;           /* 0: 30 s; -1: none */
	int cwd;                  /* directory descriptor, or AT_FDCWD (0 means AT_FDCWD) */
	int stdout_fd, stderr_fd; /* where its output goes when > 0; otherwise collected in OUT */
	int kept_fd;              /* when > 0: the one descriptor beside 0, 1 and 2 that it has, as SPAWN_KEPT */
};
enum { SPAWN_KEPT = 3 };

struct spawn_start {
	const char *path;         /* as above */
	const char *const *argv;
	int stdin_fd, stderr_fd;  /* -1: /dev/null; its output always goes there */
};

/* Starts a program that runs beside the caller, in a session of its own and with nothing but descriptors 0, 1 and 2: the pid
 * of a child that the caller waits for, or -errno. */
pid_t spawn_start(const struct spawn_start *s, struct nook_error *e);
/* Finds a program as the functions here do: 0 or -ENOENT. */
int spawn_find(const char *name, char *path, size_t size);

/* Runs and waits.  Returns the exit status (0..255, 128+n for a signal), or -errno (-ENOENT: no such program,
 * -ETIMEDOUT: killed).  stdout and stderr together are appended to OUT (NULL: inherited), at most 1 MiB. */
int spawn_run(const struct spawn *s, struct buf *out, struct nook_error *e);
