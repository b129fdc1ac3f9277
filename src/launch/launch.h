/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch() is the only way in which nook starts a process: it walks a plan in the parent, clones, and lets the child
 * walk the rest.  run = launch without a gate; create = launch with a gate before exec; exec = a plan that joins
 * namespaces instead of making them; a box = a plan without a state directory.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "plan/plan.h"

#include <sys/types.h>

struct pid_stat;

struct launched {
	pid_t pid;    /* the first process, in the caller's pid namespace */
	int pidfd;
	int console;  /* master side of its terminal, or -EBADF */
	int listener; /* of the new network (DO_LISTEN), or -EBADF */
	int held[HELD_MAX]; /* descriptors whose closing gives a lock back, the first n_held */
	size_t n_held;
	int *status;  /* with plan->init: a page that pid 1 shares; wait status of the command, -1 until it has ended.  Else NULL */
};

#define LAUNCHED_INIT {.pidfd = -EBADF, .console = -EBADF, .listener = -EBADF}
void launched_done(struct launched *l);

struct launch_hooks {
	/* The first process exists and has run nothing of the container yet, so that its pid can be written down.  Each of these may be NULL. */
	int (*born)(void *data, pid_t pid, int pidfd, struct nook_error *e);
	/* Its namespaces and ids are set up, and it still waits; PROC is its /proc/PID. */
	int (*adopted)(void *data, pid_t pid, int pidfd, int proc, struct nook_error *e);
	/* Its filter has a listener: LISTENER, which stays the caller's, is to be handed to an agent before the command runs. */
	int (*notify)(void *data, pid_t pid, int listener, struct nook_error *e);
	/* The kernel does not let the caller start a process in its v2 group GROUP: somebody who may is asked to move it there
	 * before it goes on.  NULL: then that is the end. */
	int (*attach)(void *data, pid_t pid, const char *group, struct nook_error *e);
	void *data;
	const struct pid_stat *self; /* of the caller, from who has read it already, or NULL */
	/* The caller is a program of nook's with one thread that starts no other process: what it joins needs no process in
	 * between, for it may itself say in which pid namespace its child will be. */
	bool alone;
	/* A pidfd of the process that is joined, from who has it already and gives it away, or 0. */
	int joined;
};

/* Returns when the command runs (execve(2) succeeded), or with a gate when only the gate is left.  On failure the record
 * names the step, no process is left, and every descriptor is closed; cgroup directories are the caller's to remove. */
int launch(const struct plan *p, const struct launch_hooks *hooks, struct launched *ret, struct nook_error *e);

/* Opens the gate (a socket DIR/NAME) at which launch() left the container whose first process is PID, held by PIDFD,
 * waiting.  Returns 0 when execve(2) succeeded.  After a failure of its own (HOOKS->notify) the process still waits and is
 * the caller's to end. */
int launch_go(int dir, const char *name, pid_t pid, int pidfd, const struct launch_hooks *hooks, struct nook_error *e);
