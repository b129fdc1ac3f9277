/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command/command.h"
#include "transfer/starter.h"

/* Behind the walls (transfer/walls.h), for what reads an archive of a stranger's into the depot: before the first byte of it is
 * looked at.  READ_FROM: the file or directory that is still to be opened, or NULL.  S starts the depot's unpackers then. */
int shut_in(struct cli *c, const char *read_from, struct starter *s, struct nook_error *e);
