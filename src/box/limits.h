/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of a box: the rule that gives them, and what the kernel enforces of them.  The rest is box/watch.h's to count. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "base/value.h"

struct box_limits {
	struct opt_u64 mem, pids, cpu, time_us, wall_us, files, fsize, stack, output;
};

struct nook_box;
struct spec;

int box_add_limit(struct nook_box *b, const char *value, struct nook_error *e);
/* One limit by name, in the unit that nook.h gives it; -ENOENT for an unknown name. */
int box_limit_set(struct nook_box *b, const char *name, uint64_t value);
/* Adds resource limits and those of groups. */
void box_limits_spec(const struct nook_box *b, struct arena *a, struct spec *s);
