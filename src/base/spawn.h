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
	int stdout_fd;            /* where its output goes when > 0; otherwise collected in OUT */
};

/* Runs and waits.  Returns the exit status (0..255, 128+n for a signal), or -errno (-ENOENT: no such program,
 * -ETIMEDOUT: killed).  stdout and stderr together are appended to OUT (NULL: inherited), at most 1 MiB. */
int spawn_run(const struct spawn *s, struct buf *out, struct nook_error *e);
