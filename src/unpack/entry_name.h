/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name of an archive's entry, cut into where it goes and what it is called there. */
#pragma once

#include <limits.h>

struct entry_name {
	char full[PATH_MAX];     /* no "/" at either end, no empty and no "." components; "" is the root itself */
	char dir[PATH_MAX];      /* all but the last component */
	char last[NAME_MAX + 1]; /* "" for the root itself */
};

/* NULL, or a clause that says why the name is refused. */
const char *entry_name_parse(const char *name, unsigned max_depth, struct entry_name *ret);
