/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process outside of a box gets a notice of each system call that names a file, a program or an address (a seccomp
 * listener), reads what the call names from the caller's memory, notes it and lets the call go on.  It decides nothing, so
 * that a command that lies to it can only spoil its own profile.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "spec/spec.h"

/* Adds to S what the observer wants to hear of; OTHERS, comma-separated: calls whose names alone are noted. */
void observer_filter(struct arena *a, const char *others, struct spec_seccomp *s);

struct observer {
	int notes; /* a file in memory that the process fills */
	pid_t pid;
};

int observer_prepare(struct observer *o, struct nook_error *e);
/* When the filter's LISTENER is there. */
int observer_start(struct observer *o, int listener, struct nook_error *e);
/* When the box has ended: what was observed, as box/notes.h has it. */
int observer_end(struct observer *o, struct buf *ret, struct nook_error *e);
