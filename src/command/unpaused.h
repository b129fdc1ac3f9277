/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command/command.h"
#include "runtime/container.h"

/* Says so when a running container is about to be read that inside_freeze() cannot hold still, for it has no groups. */
void note_unpaused(const struct cli *c, const struct container *container);
