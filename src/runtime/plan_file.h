/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan with which a container was started, kept in its state directory: what an exec may do comes from it. */
#pragma once

#include "base/alloc.h"
#include "plan/plan.h"

#define PLAN_FILE "plan"

int plan_save(int dir, const struct plan *p, struct nook_error *e);
/* The plan in arena memory, checked; -ENOENT when the container was started without one. */
int plan_load(int dir, struct arena *a, const struct plan **ret, struct nook_error *e);
