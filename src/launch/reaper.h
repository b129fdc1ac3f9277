/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --init: a pid 1 that does nothing but forward signals and reap. */
#pragma once

#include "launch/walk.h"

/* Forks.  In the child it returns and the child goes on with the plan; the parent stays as pid 1 without rights,
 * forwards signals to the child, reaps every orphan and ends with the child's status. */
void reaper_split(struct walk *w);
