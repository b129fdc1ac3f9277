/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people see of a transfer: a bar per blob on a terminal, drawn anew in place; elsewhere a plain line when a blob
 * starts to matter and when it is done.  Threads report, the one that shows calls progress_show().
 */
#pragma once

#include "command/command.h"

enum progress_state { PROGRESS_WAITING, PROGRESS_MOVING, PROGRESS_FINISHING, PROGRESS_DONE, PROGRESS_PRESENT, PROGRESS_FAILED };

enum { PROGRESS_ROWS_SHOWN = 16 };

struct progress_row {
	const char *label;         /* twelve hex digits */
	_Atomic int state;         /* enum progress_state */
	_Atomic uint64_t at;
	uint64_t total;
	int shown;                 /* what was last printed of it; the shower's own */
};

struct progress {
	const struct cli *cli;
	const char *verb, *past;   /* "downloading", "downloaded" */
	struct progress_row *rows;
	size_t n_rows, n_drawn;
	size_t drawn[PROGRESS_ROWS_SHOWN]; /* the length of each line on the terminal */
	bool is_quiet, is_terminal;
};

void progress_init(struct progress *p, const struct cli *c, const char *verb, const char *past, bool is_quiet);
/* Rows for N blobs, in A; they stay where they are. */
struct progress_row *progress_rows(struct progress *p, size_t n, struct arena *a);
void progress_show(struct progress *p);
/* One line for people, above the bars. */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
