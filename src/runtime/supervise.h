/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attached life: forward signals, relay the terminal, wait for the end. */
#pragma once

#include "base/error.h"
#include "launch/launch.h"

#include <signal.h>

/* Blocks the signals that supervise() forwards, so that none is lost between launch and waiting; BEFORE gets the old mask. */
void supervise_begin(sigset_t *before);
/* Of them only what a write to a reader that has gone away would cause; supervise_begin() includes it. */
void supervise_hold_pipe(void);
/* Waits until the first process has ended: its exit status, 128 + n for a signal, or -errno.  L is reaped.  For programs that are
 * about to end themselves: what signals come by stays open. */
int supervise(struct launched *l, struct nook_error *e);
/* The parts of it, for a loop of one's own: a signalfd of what supervise_begin() blocked, and what to do when it is readable
 * (T: the terminal whose size follows, or NULL). */
struct terminal;
int supervise_signals(struct nook_error *e);
void supervise_forward(int signals, const struct launched *l, const struct terminal *t);
/* The exit status for a failed start, as docker has them: 127 when the command was not found, 126 when it cannot be
 * executed, else 125.  CODE is what launch() returned. */
int supervise_status(const struct nook_error *e, int code);
