/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a command has touched to the rules of a profile. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum learned_what {
	LEARNED_STAT = 1,    /* its attributes, or whether it is there */
	LEARNED_READ = 2,
	LEARNED_WRITE = 4,
	LEARNED_MAKE = 8,    /* made, removed or renamed: its directory changes */
	LEARNED_EXEC = 16,
	LEARNED_LIST = 32,   /* a directory: its names */
	LEARNED_ENTER = 64,  /* a directory: worked in */
	LEARNED_EXISTED = 128, /* before the command first touched it */
	LEARNED_DIR = 256,
	LEARNED_SOCKET = 512,  /* a unix socket, connected to */
};

enum { LEARNED_MAX = 1 << 16 };

/* Notes are lines: "p FLAGS PATH" (hexadecimal, an absolute path), "c ADDRESS" and "b ADDRESS" (connected to, bound to), "s CALL"
 * (a system call that a strict filter refuses). */

struct learned {
	const char *command; /* for the first line */
	const char *program; /* its file, or NULL: until it runs nobody can look into its process */
	const char *home;    /* of the caller */
	const char *box_home; /* in the box */
	const char *start;   /* the directory in which the command was started, or NULL */
	const char *notes;
	uint16_t proxy_port; /* of 127.0.0.1: connections there went further by "hosts"; 0: none */
	const char *const *hosts; /* that the proxy was asked for, as "allow" has them; NULL-terminated or NULL */
};

/* The text of a profile.  Looks at the files that the notes name. */
void learned_profile(const struct learned *l, struct buf *to);
/* Places of secrets below a home, relative to it; NULL-terminated. */
extern const char *const learned_secrets[];
