/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking away images that nobody needs: what `nook image prune` and `nook prune` share. */
#pragma once

#include "cli/image_filter.h"

enum prune_which { PRUNE_NAMELESS, PRUNE_UNUSED };
/* Images that FILTER lets through and no container was made of, then layers, blobs and left-overs that nothing needs.
 * Prints what goes; *BYTES is increased by what that freed. */
int prune_images(struct cli *c, enum prune_which which, const struct image_filter *filter, uint64_t *bytes, struct nook_error *e);
/* Volumes that no container has (cmd_volume.c): those without a name, or all; prints what goes. */
enum prune_volumes { PRUNE_ANONYMOUS, PRUNE_ALL_VOLUMES };
int prune_volumes(struct cli *c, enum prune_volumes which, const struct opt_list *filters, struct nook_error *e);
