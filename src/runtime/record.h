/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container keeps outlives RUN, which goes when the machine restarts.  So its layer has copies of its state and its
 * plan, from which `nook system repair` makes the container again.
 */
#pragma once

#include "runtime/container.h"

/* Writes the copies into the layer that C keeps, if it keeps one; DIR is its state directory. */
int record_save(int dir, const struct container *c, struct nook_error *e);
/* Are there copies in LAYER, a directory ROOT/layers/NAME of this run directory, that are of its container? */
bool record_is_there(const struct store_run *r, const char *layer, const char *id, struct arena *a, struct container *ret);
/* Makes the container again.  A name that somebody else has by now is lost. */
int record_adopt(struct store_run *r, const char *layer, const struct container *c, struct nook_error *e);
