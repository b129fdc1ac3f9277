/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nook box does beside running a command. */
#pragma once

#include "box/box.h"
#include "command/command.h"

/* --check: tells what this machine gives to boxes, tries the box, and how to mend what fails.  The exit status. */
int box_check_run(struct cli *c, const struct nook_box *b, struct nook_error *e);
/* --save: one rule a line into the user's profile NAME. */
int box_save(const char *name, const char *rules, struct nook_error *e);
