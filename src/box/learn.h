/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Learning: a command runs in a wide box, everything that it touches is observed from outside, and a profile is written that
 * opens just that.
 *
 *   the box     programs and libraries as always; everything else of the caller's writable, but for secrets, which are hidden;
 *               the host's network unless rules say otherwise, with a proxy that tells which hosts are wanted
 *   the observer  a process outside gets a notice of each system call that names a file, a program or an address (a
 *               seccomp listener), reads what the call names from the caller's memory, and lets the call go on.  It decides
 *               nothing, so that a command that lies to it can only spoil its own profile.
 *   the profile learned.h
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "spec/spec.h"

struct nook_box;

/* The rules of the wide box, to be added before those of the user. */
int learn_rules(struct nook_box *b, struct nook_error *e);
/* When all rules are there.  *RET: the listener of the proxy in the host's network, or -EBADF when the box has another. */
int learn_ready(struct nook_box *b, int *ret, struct nook_error *e);
/* Adds to S what the observer wants to hear of. */
void learn_filter(struct arena *a, struct spec_seccomp *s);

struct learn {
	int notes; /* a file in memory that the observer fills */
	pid_t pid;
};

int learn_begin(struct learn *l, struct nook_error *e);
/* launch_hooks.notify, with a struct learn as data: starts the observer. */
int learn_observe(struct learn *l, int listener, struct nook_error *e);
/* When the box has ended: what was observed, as learned.h reads it. */
int learn_end(struct learn *l, struct buf *ret, struct nook_error *e);
