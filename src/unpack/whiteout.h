/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a layer hides of those below it, as overlayfs understands it. */
#pragma once

#include "unpack/writer.h"

/* HIDDEN, behind ".wh.", in the directory PARENT.  A removal says something of the layers below only: what this layer has itself
 * stays, before or after it. */
int whiteout_add(enum writer_layer layer, int parent, const char *hidden, const struct entry *entry, struct nook_error *e);
/* Hides all that the layers below have in the directory FD. */
int whiteout_opaque(enum writer_layer layer, int fd, const struct entry *entry, struct nook_error *e);
bool whiteout_is(int parent, const char *last);
