/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that nook describes and nook-transfer runs: their options. */
#pragma once

#include "command/command.h"

struct load_options {
	const char *input, *name;
	bool quiet;
};

extern const struct command cmd_load;

struct save_options {
	const char *output, *format;
};
struct import_options {
	const char *message, *compression;
	struct opt_list changes;
};
struct commit_options {
	const char *message, *author, *compression;
	struct opt_list changes;
	bool no_pause;
};

extern const struct command cmd_save, cmd_import, cmd_commit;
