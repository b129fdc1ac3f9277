/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which commands there are, and how one is found. */
#pragma once

#include "command/command.h"

extern const struct command *const commands[]; /* as `nook help` lists them; NULL-terminated */
extern const struct opt global_options[];      /* offsets into struct globals */

struct globals {
	const char *root, *run, *log_format;
	bool debug, quiet, help, version;
};

/* The command named by LIST, or NULL. */
const struct command *command_find(const struct command *const *list, const char *name);
/* The name nearest to a mistyped one, or NULL. */
const char *command_nearest(const struct command *const *list, const char *name);
