/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the root of a container is made of, read from its plan. */
#pragma once

#include "base/alloc.h"
#include "plan/plan.h"
#include "spec/spec.h"

/* kind, path, lowers, upper, disks; an overlay whose changes were in memory has neither upper nor upper_disk.  0, or
 * -ENOENT when it had no root of its own. */
int rootfs_of_plan(const struct plan *p, struct arena *a, struct spec_root *ret, struct nook_error *e);
/* Were the marks in its layer made in a user namespace?  Then another one cannot be without one. */
bool rootfs_has_user_marks(const struct plan *p);
/* The command with which it was started, NULL-terminated; NULL when there was none. */
const char *const *rootfs_command(const struct plan *p, struct arena *a);
