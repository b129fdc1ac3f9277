/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The profile of a command, from what was observed of it. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct learned {
	const char *command; /* for the first line */
	const char *program; /* its file, or NULL: until it runs nobody can look into its process */
	const char *home;    /* of the caller */
	const char *box_home; /* in the box */
	const char *start;   /* the directory in which the command was started, or NULL */
	const char *notes;   /* of box/notes.h */
	uint16_t proxy_port; /* of 127.0.0.1: connections there went further by "hosts"; 0: none */
	const char *const *hosts; /* that the proxy was asked for, as "allow" has them; NULL-terminated or NULL */
};

/* The text of a profile.  Looks at the files that the notes name. */
void learned_profile(const struct learned *l, struct buf *to);
