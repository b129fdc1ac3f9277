/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root of a container that has ended, made once more. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

/* Makes the root file system of P as its start did, without what is mounted below it, on top of "/": a descriptor of it.
 * The caller has a mount namespace of its own and goes away with it.  Ids are as they are on disk: those of the container,
 * where its start mapped them.  With root's rights, or in a user namespace with the container's maps. */
int launch_root_again(const struct plan *p, struct nook_error *e);
