/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees of files that become layers, read by a child process as a tar stream. */
#pragma once

#include "base/error.h"
#include "runtime/idrange.h"
#include "transfer/newlayer.h"

/* The directory DIR as it is; or FLAGS with TREE_LAYER: the changes of an overlay.  RANGE: the tree is read by the root of a
 * user namespace of these ids, whose ids count as owners; NULL: by the caller. */
int layertar_add(struct newlayer *l, int dir, unsigned flags, const struct idrange *range, struct nook_error *e);

/* What WRITE writes to OUT in such a process.  L NULL: it writes nothing there, and is waited for. */
struct layertar_work {
	int (*write)(const void *data, int out, struct nook_error *e);
	const void *data;
	const struct idrange *range;
};
int layertar_run(struct newlayer *l, const struct layertar_work *work, struct nook_error *e);
