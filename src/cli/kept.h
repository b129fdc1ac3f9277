/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What diff, apply and discard share: the changes that a box has kept. */
#pragma once

#include "base/buf.h"
#include "box/changes.h"
#include "command/command.h"
#include "sys/keepdir.h"

/* "A path", "A link -> text", "! path (why)": one line, TOP before the path, with what a terminal would take for more than a character escaped. */
void kept_line(const struct change *c, const char *top, struct buf *text);
/* The directory that keeps changes, open and locked, and the one that is changed. */
int kept_open(struct cli *c, const char *path, struct keepdir *ret, int *ret_original, struct nook_error *e);
