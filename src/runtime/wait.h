/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/container.h"

/* Waits until the container has ended: its exit status (0..255).  -ESRCH when it has ended and nobody can tell how. */
int container_wait(struct store_run *r, const struct container *c, struct nook_error *e);
