/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A box from its start to its end: limits of the whole, what it used, and the end of those for whom it runs. */
#pragma once

#include "box/box.h"
#include "box/usage.h"
#include "launch/launch.h"
#include "runtime/relay.h"

struct box_watch {
	struct launched *launched;
	const struct plan *plan;   /* names the groups, which are removed at the end */
	struct box_bounds bounds;
	int64_t started_us;        /* clock_us() before launch() */
	int control;               /* a socket of shim.h, or -EBADF: its other end asks and, when it goes, the box goes */
	const int *namespaces;     /* by ns_kind, -EBADF where it is the host's; or NULL: nobody joins */
	int caller;                /* a pidfd of whom the box may not outlive, or -EBADF */
	int signals;               /* of supervise_signals(), or -EBADF */
	struct box_links *links;   /* its network's helpers, or NULL */
	struct terminal *terminal; /* whose size follows the caller's, or NULL */
	struct relay *relays;      /* output first: it is relayed to its end, and counted */
	size_t n_relays, n_output;
	struct usage last;         /* what had been used when the box was ended */
};

#define BOX_WATCH_INIT(l, p) {.launched = (l), .plan = (p), .control = -EBADF, .caller = -EBADF, .signals = -EBADF}

/* Standard output and error of a box whose output is limited go through pipes of the watcher's.  Before launch(): puts the
 * pipes at 1 and 2 and keeps what was there; after: puts that back, and makes the relays. */
struct box_output {
	int kept[2], pipes[2];
	struct relay *relays;
};
#define BOX_OUTPUT_INIT {{-EBADF, -EBADF}, {-EBADF, -EBADF}, NULL}
int box_output_begin(struct box_output *o, struct nook_error *e);
int box_output_ready(struct box_output *o, struct box_watch *w, struct nook_error *e);
void box_output_done(struct box_output *o);

/* Returns when no process of the box is left and its groups are gone. */
int box_watch(struct box_watch *w, struct nook_result *ret, struct nook_error *e);
/* Groups that a failed launch() may have left. */
void box_remove_groups(const struct plan *p);
/* Adds what they have counted. */
void box_groups_stats(const struct plan *p, struct nook_result *r);
