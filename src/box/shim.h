/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper between a caller and a box.  A caller may be big and have threads, so it does nothing between clone(2) and
 * execve(2) but place one socket; the helper (src/shim) starts the box and watches it.
 *
 *   caller                              nook-shim (the socket is its descriptor 0)
 *   request, plan in a sealed memfd,
 *   the box's descriptors -----------> places them, launch()
 *          <-------------------------- STARTED with a pidfd, or FAILED with the error
 *   STATS ---------------------------> <- STATS
 *   JOIN ----------------------------> <- JOIN with the namespaces of the box
 *          <-------------------------- ENDED, and the helper ends
 *
 * When the caller's end of the socket closes, or the caller ends while somebody else holds a copy of it, the box is killed.
 */
#pragma once

#include "box/box.h"

/* For a command more in a box that runs: its namespaces stand at these numbers, by ns_kind, while the helper starts it. */
enum { SHIM_NS_FIRST = 3, SHIM_FDS_MAX = BOX_FDS_MAX + 3 + NS_COUNT };

struct shim_request {
	uint32_t size;
	uint32_t n_fds;             /* that follow the plan's memfd, and the hosts', in the same message */
	struct box_bounds bounds;
	struct box_network network;
	uint32_t has_hosts;         /* the second descriptor is a text of hosts */
	int32_t targets[SHIM_FDS_MAX]; /* the number each has in the box */
};

enum shim_kind { SHIM_STARTED, SHIM_FAILED, SHIM_ENDED, SHIM_STATS, SHIM_JOIN };

struct shim_reply {
	uint32_t kind;
	int32_t number; /* STARTED: pid; FAILED: -errno; JOIN: bits of enum ns_kind */
	union {
		struct nook_error error;
		struct nook_result result;
	};
};

/* Size of a reply of this kind. */
size_t shim_reply_size(enum shim_kind kind);

/* ---- the caller's side ---------------------------------------------------------------------------------------------- */

struct nook_proc {
	int control, pidfd;
	int helper;       /* pidfd of the helper */
	pid_t pid;
	bool ended;
	struct nook_result result;
	struct plan *plan; /* for commands that join later; NULL: it has joined itself */
};

int box_spawn(const struct nook_box *b, const char *const *argv, struct nook_proc **ret, struct nook_error *e);
/* A command more in the box of P, with the same limits and filters. */
int box_proc_exec(struct nook_proc *p, const char *const *argv, struct nook_proc **ret, struct nook_error *e);
int box_proc_wait(struct nook_proc *p, int timeout_ms, struct nook_result *ret, struct nook_error *e);
int box_proc_stats(struct nook_proc *p, struct nook_result *ret, struct nook_error *e);
int box_proc_kill(struct nook_proc *p, int sig, struct nook_error *e);
void box_proc_free(struct nook_proc *p);
CLEANUP_DEFINE(struct nook_proc *, box_proc_free)
