/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/container.h"

enum kill_scope { KILL_FIRST, KILL_ALL };
/* A signal to the container's first process, or to all.  SIGKILL reaches one that is paused, too. */
int container_kill(const struct container *c, int signal, enum kill_scope scope, struct arena *a, struct nook_error *e);
/* What ends it in peace: what was asked for, or what its image says; else SIGTERM. */
int container_stop_signal(const struct container *c, struct nook_error *e);
/* Sends SIGNAL, waits SECONDS (-1: for ever), kills what is still there, and waits until all of it has ended.  One that is
 * paused runs on for it; one that has ended is fine. */
int container_stop(struct store_run *r, const struct container *c, int signal, int64_t seconds, struct arena *a, struct nook_error *e);
