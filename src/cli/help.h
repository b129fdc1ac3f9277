/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --help, for the program and for a command. */
#pragma once

#include "base/buf.h"
#include "command/command.h"

/* PATH is the words before the command's options: "run", "cgroup ls". */
void help_command(const struct command *cmd, const char *path, struct buf *out);
void help_program(struct buf *out);
