/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's files that say whose ids are whose: subuid, subgid, passwd and group, in the directory ETC, or in /etc when that is
 * AT_FDCWD.  A file that is missing says nothing.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct id_range {
	uint64_t first, end; /* end is not part of it */
};

struct id_ranges {
	struct id_range *items;
	size_t n;
};

void id_ranges_add(struct arena *a, struct id_ranges *r, uint64_t first, uint64_t count);
/* Does one of them share an id with the COUNT ids from FIRST on? */
bool id_ranges_touch(const struct id_ranges *r, uint64_t first, uint64_t count);

/* Adds what FILE (subuid, subgid) gives to NAME or NUMBER, in the file's order. */
int idfiles_of_user(int etc, const char *file, const char *name, const char *number, struct arena *a, struct id_ranges *mine,
	struct nook_error *e);
/* Adds what FILE gives to each of the OWNERS, and to ALL what it gives to anybody. */
int idfiles_of_owners(int etc, const char *file, const char *const *owners, size_t n_owners, struct arena *a, struct id_ranges *owned,
	struct id_ranges *all, struct nook_error *e);
/* Adds each id of FILE (passwd, group) that lies in the range WITHIN. */
int idfiles_within(int etc, const char *file, const struct id_range *within, struct arena *a, struct id_ranges *ids, struct nook_error *e);
enum { IDFILES_NAME = 257 };
/* The user's name, or "" when passwd has no line for UID. */
int idfiles_name_of(int etc, uint32_t uid, char name[static IDFILES_NAME], struct nook_error *e);

/*
 * What was found the last time: on most machines that none of their ids lies in the pool of ranges.  RUN/ids.known, a symbolic
 * link whose text is inode, size and time of change of each, says so for these very files, so that a start need not read
 * them again (passwd may have a hundred thousand lines).
 */
enum { IDFILES_STAMP = 256 };
/* The stamp of the files in ETC as they are now. */
void idfiles_stamp(int etc, char stamp[static IDFILES_STAMP]);
/* Is it known that files of this stamp have nothing to say? */
bool idfiles_are_known(int run, const char *stamp);
/* Notes it, unless the files have changed so lately that they could change again without its showing. */
void idfiles_note(int run, int etc, const char *stamp);
