/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing layers and blobs that no image needs and nobody holds. */
#pragma once

#include "storage/depot.h"

#include <stdint.h>

/* What may be garbage. */
struct garbage {
	struct arena *arena;
	const char **layers, **blobs; /* keys and digests */
	size_t n_layers, n_blobs;
};

void garbage_layer(struct garbage *g, const char *key);
void garbage_blob(struct garbage *g, const char *digest);
/* Everything in the depot that no image needs. */
int garbage_find(struct depot *d, struct garbage *g, struct nook_error *e);
/* Each is locked, asked for again in the database, and removed.  What somebody holds stays.  *BYTES (may be NULL) is
 * increased by what was freed. */
int garbage_collect(struct depot *d, const struct garbage *g, uint64_t *bytes, struct nook_error *e);
