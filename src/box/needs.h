/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was touched becomes needs: a path, and whether it is read or written.  Needs are brought together (the libraries of a
 * machine are one need, many files of a directory become the directory), needs inside of others are left out, and what is
 * left are rules.
 */
#pragma once

#include "box/learned.h"

enum need_kind { NEED_READ, NEED_WRITE };

struct need {
	const char *path;
	enum need_kind kind;
	bool wanted; /* no other covers it */
};

struct touched {
	const char *path;
	unsigned what; /* enum note_what */
};

struct needs {
	const struct learned *learned;
	struct arena *arena;
	struct touched *touched; /* by path */
	size_t n_touched;
	struct need *list; /* by path */
	size_t n;
	const char **secrets;   /* looked for */
	const char **comments;  /* for who reads the profile */
	const char **addresses; /* connected to, not through the proxy */
	const char **bound, **calls;
	size_t n_secrets, n_comments, n_addresses, n_bound, n_calls;
	bool datagrams, var_tmp;
};

/* In ARENA.  Looks at the files that the notes name. */
void needs_of(const struct learned *l, struct arena *a, struct needs *ret);
