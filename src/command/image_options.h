/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that nook describes and nook-transfer runs: their options. */
#pragma once

#include "command/command.h"

struct load_options {
	const char *input, *name;
	bool quiet;
};

extern const struct command cmd_load;
