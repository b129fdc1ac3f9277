/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a local source into the depot. */
#pragma once

#include "image/platform.h"
#include "transfer/source.h"

/* What came in. */
struct arrival {
	const char *manifest, *id; /* digests */
	const char *name;          /* canonical, or NULL: it was stored without one */
};

/* Every image of the source for PLATFORM, or the one that its tag chooses.  NAME, if given, is for a single one.  Each is
 * visible as soon as it is complete. */
int intake_all(struct depot *d, const struct source *s, const struct platform *platform, const char *name, struct arena *a,
	struct arrival **ret, size_t *ret_n, struct nook_error *e);
