/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan with which a container was started, kept in its state directory: what an exec may do comes from it. */
#pragma once

#include "base/alloc.h"
#include "plan/plan.h"

struct store_run;

#define PLAN_FILE "plan"

int plan_save(int dir, const struct plan *p, struct nook_error *e);
/* The plan of container ID in arena memory, checked; -ENOENT when the container was started without one. */
int plan_load(struct store_run *r, const char *id, struct arena *a, const struct plan **ret, struct nook_error *e);
/* Has the container ids of its own, so that it cannot write our files?  False when there is no plan, or another version's.  RUN
 * is the run directory, which need not be open yet: whoever asks may be about to start itself anew. */
bool plan_file_has_own_ids(const char *run, const char *id);
