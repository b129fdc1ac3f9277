/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's first process, from clone(2) to execve(2). */
#pragma once

#include "launch/walk.h"

/* Walks the child's stages.  Never returns: executes the command, or reports on the wire and ends. */
_Noreturn void child_run(struct walk *w);
