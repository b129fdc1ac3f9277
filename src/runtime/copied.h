/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers whose root is a copy of their image's files (cli/run_copy.h), for the store's file system carries no overlay or maps
 * no ids.  What they have changed is changed in the copy, which is kept with them; with --storage disk it is the lowest layer.
 */
#pragma once

#include "plan/plan.h"
#include "runtime/container.h"
#include "runtime/idrange.h"
#include "stream/owners.h"

/* Noted with such a container.  COPY_MAPPED: on disk the files belong to the host ids that stand behind the container's. */
#define ANNOTATION_COPY "nook.copy"
#define COPY_MAPPED "mapped"
#define COPY_AS_IT_IS "1"

bool copied_is(const struct container *c);
/* The directory, or NULL when C is none of these. */
const char *copied_root(const struct container *c);
/* Does C keep what it changes in the copy itself? */
bool copied_is_changed(const struct container *c);
/* Whose ids they are, by P, the container's plan: 1 and the maps of root's range; 0: the files belong to who they seem to. */
int copied_range(const struct container *c, const struct plan *p, struct arena *a, struct idrange *ret, struct nook_error *e);
struct owners copied_owners(const struct idrange *range);
