/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unpacker works on hostile input with big libraries, so before it reads the first byte it gives up all that it does
 * not need: the file system but the target (mount namespace and pivot, with a user namespace when not root), every other
 * descriptor, capabilities, new privileges, everything outside by Landlock, and system calls outside a short list.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jail_options {
	int input;          /* kept open, beside 0, 1 and 2 */
	uint64_t keep_caps; /* mask of 1 << CAP_* */
	const int *lowers;  /* directories that may be read; kept open, from JAIL_LOWERS on */
	size_t n_lowers;    /* at most JAIL_LOWERS_MAX */
};

/* What the machine did not give; the rest of the jail holds. */
struct jail_missing {
	const char *namespaces, *landlock; /* a clause that says why, or NULL */
};

enum { JAIL_INPUT = 3, JAIL_LOWERS = 5, JAIL_LOWERS_MAX = 128 };

/* Shuts the calling process in below the directory TARGET and returns a descriptor of it from inside.  The input is at
 * JAIL_INPUT from then on; all other descriptors but 0, 1, 2 and the lowers are closed, TARGET and the old ones among
 * them. */
int jail_enter(int target, const struct jail_options *o, struct jail_missing *ret_missing, struct nook_error *e);
