/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has become of a tree of files, told name by name: the two are seen side by side, and no layer says it. */
#pragma once

#include "base/error.h"
#include "stream/owners.h"

enum difference_kind {
	DIFFERENCE_NEW,     /* told for everything in a directory that is new, after the directory itself */
	DIFFERENCE_TYPE,    /* a file has become a directory, a directory a link, ...; what is in a directory is new then */
	DIFFERENCE_CONTENT, /* or where a link leads */
	DIFFERENCE_STATUS,  /* mode, owner or attributes */
	DIFFERENCE_REST,    /* only the time, or it has more names */
	DIFFERENCE_GONE,    /* told for everything in a directory that is gone, after the directory itself */
};

struct difference {
	enum difference_kind kind;
	const char *path; /* below the top; "." is the top itself */
	const struct stat *st; /* of what is there now; NULL: gone */
	const char *link; /* what a symbolic link says now, or NULL */
};

struct difference_how {
	struct owners owners; /* of NOW */
	int (*tell)(void *data, const struct difference *d, struct nook_error *e);
	void *data;
};

/* BEFORE and NOW are open directories.  Whoever owns NOW may change it meanwhile: names are looked up below it only and lead
 * through no link. */
int difference_walk(int before, int now, const struct difference_how *how, struct nook_error *e);
