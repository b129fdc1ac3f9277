/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a command in a box has changed in a directory that was overlaid: told, or brought back.
 *
 * The layer of changes is the work of somebody nobody trusts.  It is read by descriptors, one component at a time, never
 * through a link and never into another mount; what is brought back is made under the descriptor of a directory below the
 * original one.  Device nodes, FIFOs, sockets and set-id bits that were not there before are not brought back.
 *
 *   changes.c  compares the layer with the original and calls for each difference
 *   bring.c    makes one difference true in the original
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum change_kind {
	CHANGE_ADDED,
	CHANGE_CONTENT,
	CHANGE_META,    /* mode, owner or attributes alone */
	CHANGE_TYPE,    /* a file has become a directory, a directory a link, ... */
	CHANGE_DELETED, /* told for everything in a directory that is gone, after the directory itself */
	CHANGE_REFUSED, /* cannot be brought back: WHY */
	CHANGE_KINDS
};
extern const char change_letters[CHANGE_KINDS];

struct change {
	enum change_kind kind;
	const char *path; /* below the original directory */
	const char *link; /* what a symbolic link says, or NULL */
	const char *why;
	mode_t mode;      /* of what is there now; 0: deleted */
};

struct changes_how {
	int (*tell)(void *data, const struct change *c, struct nook_error *e); /* or NULL */
	void *data;
	bool apply;     /* bring each back, after it was told; what is refused is an error */
	bool skip;      /* what is refused is left out */
};

/* UPPER and ORIGINAL are directories; ORIGINAL may be -EBADF when APPLY is not set: then all is new. */
int changes_walk(int upper, int original, const struct changes_how *how, struct nook_error *e);

/* ---- bringing one entry back (bring.c): NAME in the open directories FROM (of the layer) and TO (of the original) ------- */

bool attributes_are_equal(int a, int b);
/* The mode that NAME is given: set-id bits only where the original, HAD, has them. */
mode_t bring_mode(const struct stat *now, const struct stat *had);
int bring_file(int from, int to, const char *name, const struct stat *had, struct nook_error *e);
int bring_link(int to, const char *name, const char *text, struct nook_error *e);
/* Makes the directory when it is not there; returns it open. */
int bring_dir(int to, const char *name, struct nook_error *e);
/* The mode, owner and attributes of directory NOW for directory TO, which was HAD. */
int bring_dir_meta(int now, int to, const struct stat *had, const char *name, struct nook_error *e);
/* Opens directory NAME of the original: no link, no other mount. */
int bring_open_dir(int to, const char *name);
