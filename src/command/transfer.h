/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook-transfer: the program with the big libraries, which makes, fetches and writes images. */
#pragma once

#include "command/command.h"

/* Becomes nook-transfer, which runs the command of these WORDS (NULL-terminated: "load", "-i", "x.tar") with C's global
 * options.  Returns only on failure. */
int transfer_exec(const struct cli *c, const char *const *words, struct nook_error *e);
/* The same in a child, waited for: its exit status.  What it prints goes to OUT. */
int transfer_run(const struct cli *c, const char *const *words, int out, struct nook_error *e);
