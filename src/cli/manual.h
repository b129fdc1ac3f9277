/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manual pages as scdoc(5), from the tables of the commands. */
#pragma once

#include "base/buf.h"
#include "command/command.h"

/* The page of CMD; EXTRA holds more sections, or is NULL. */
void manual_command(const struct command *cmd, const char *extra, struct buf *out);
/* nook(1) itself. */
void manual_program(const char *extra, struct buf *out);
