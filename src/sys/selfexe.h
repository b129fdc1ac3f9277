/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of the running program, which a container must never get to write (CVE-2019-5736). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A command that is a script with "#!/proc/self/exe" runs this very program inside the container, and who is root there
 * with the host's ids may then open its file for writing.  So this starts the program anew, with ARGV, from a read-only
 * mount of the file that is attached nowhere, or from a sealed copy where no mount may be made, and returns on failure alone.
 * Nothing must have been read from a pipe yet. */
int selfexe_protect(char *const *argv, struct nook_error *e);
/* Has that been done already, or could this user not write the file anyway? */
bool selfexe_is_protected(void);
/* The directory that the program was started from; after selfexe_protect() only if that was noted before. */
int selfexe_dir(char *path, size_t size, struct nook_error *e);
void selfexe_note_dir(void);
