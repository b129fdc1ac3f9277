/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A box from its start to its end: limits of the whole, what it used, and the end of those for whom it runs. */
#pragma once

#include "box/box.h"
#include "box/usage.h"
#include "launch/launch.h"

struct box_watch {
	struct launched *launched;
	const struct plan *plan;   /* names the groups, which are removed at the end */
	struct box_bounds bounds;
	int64_t started_us;        /* box_now_us() before launch() */
	int control;               /* a socket of shim.h, or -EBADF: its other end asks and, when it goes, the box goes */
	int caller;                /* a pidfd of whom the box may not outlive, or -EBADF */
	struct usage last;         /* what had been used when the box was ended */
};

int64_t box_now_us(void);
/* Returns when no process of the box is left and its groups are gone. */
int box_watch(struct box_watch *w, struct nook_result *ret, struct nook_error *e);
/* Groups that a failed launch() may have left. */
void box_remove_groups(const struct plan *p);
