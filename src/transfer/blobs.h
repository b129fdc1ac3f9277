/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One blob from the registries that may have it into the depot. */
#pragma once

#include "image/manifest.h"
#include "registry/remote.h"
#include "storage/sink.h"
#include "transfer/progress.h"

struct blob_source {
	struct remote *const *remotes; /* in the order in which they are asked */
	size_t n;
	struct http *http;
	unsigned tries;
};

/* A cut transfer goes on where it ended; what does not come from one source is asked of the next, last of the URLs of a
 * foreign layer. */
int blob_fetch(struct depot *d, const struct blob_source *from, const struct descriptor *what, const char *diff_id,
	struct progress_row *row, struct nook_error *e);
