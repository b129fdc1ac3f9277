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
	bool quiet;
};
struct import_options {
	const char *message, *compression, *platform;
	struct opt_list changes;
};
struct commit_options {
	const char *message, *author, *compression, *pause;
	struct opt_list changes;
	bool no_pause;
};

extern const struct command cmd_save, cmd_import, cmd_commit;

struct store_check_options {
	bool repair;
};
struct bootstrap_options {
	const char *from, *name, *mirror, *include;
	struct opt_list changes;
};

extern const struct command cmd_store_check; /* nook system check runs it */
struct slim_options {
	const char *name, *compression;
	struct opt_list keep;
	bool dry_run;
};

struct export_options {
	bool no_config, no_pause;
};

extern const struct command cmd_bootstrap;
extern const struct command cmd_export_oci; /* nook export --format oci becomes it */
extern const struct command image_slim; /* nook image slim */
