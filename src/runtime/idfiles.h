/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was found in /etc/subuid, subgid, passwd and group the last time: on most machines that none of their ids lies in the
 * pool of ranges.  RUN/ids.known, a symbolic link whose text is inode, size and time of change of each, says so for these
 * very files, so that a start need not read them again (passwd may have a hundred thousand lines).
 */
#pragma once

#include <stdbool.h>

enum { IDFILES_STAMP = 256, IDFILES_PATH = 16 };

/* The name of the file in the directory ETC, or in /etc when that is AT_FDCWD. */
const char *idfiles_path(int etc, const char *name, char room[static IDFILES_PATH]);

/* The stamp of the files in ETC as they are now. */
void idfiles_stamp(int etc, char stamp[static IDFILES_STAMP]);
/* Is it known that files of this stamp have nothing to say? */
bool idfiles_are_known(int run, const char *stamp);
/* Notes it, unless the files have changed so lately that they could change again without its showing. */
void idfiles_note(int run, int etc, const char *stamp);
