/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "storage/image.h"

/* The layers as one tree that nobody can write to, attached nowhere: a descriptor to look names up by.  For more than one layer
 * the caller is root, or root of the user namespace that owns its mount namespace. */
int image_merge(const struct image *i, struct nook_error *e);
/* Makes an ordinary user root of a namespace of his own, for as long as the process lives: only so can he mount. */
int merge_become_mounter(struct nook_error *e);
