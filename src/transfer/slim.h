/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `nook image slim` takes out of a tree: groups of paths, and what each of them took. */
#pragma once

#include "stream/links.h"
#include "stream/tree.h"

enum slim_group { SLIM_DOCS, SLIM_LOCALES, SLIM_CACHES, SLIM_GROUPS };
extern const char *const slim_group_names[SLIM_GROUPS];

struct slim_totals {
	struct {
		uint64_t files, bytes;
	} gone[SLIM_GROUPS];
	uint64_t kept_bytes; /* of regular files, each counted once whatever its names */
};

struct slim {
	unsigned groups;       /* to take out: 1 << SLIM_DOCS ... */
	bool compiles_locales; /* there is a localedef, and so a use for the sources of locales */
	bool counts_only;      /* what is written is of no use */
	struct slim_totals totals;
	/* Private: files of several names are gone when all their names are. */
	struct links kept;
	struct arena *arena;
	struct slim_linked *linked;
	size_t n_linked;
};

/* A tree_filter's judge; DATA is the struct slim. */
enum tree_verdict slim_judge(void *data, const char *name, const struct stat *st);
/* After the last entry. */
void slim_end(struct slim *s, struct slim_totals *ret);
void slim_done(struct slim *s);
