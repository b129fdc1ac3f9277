/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is shown of a disk. */
#pragma once

#include "base/alloc.h"
#include "sys/fsimage.h"

struct disk_view {
	const char *path;
	struct fsimage image;
	uint64_t bytes, allocated;
	const char *user; /* "/dev/loop3": the loop device that is made of it; NULL: none */
};

/* Looks at the file without a lock: 0, or -EINVAL when it is no disk. */
int disk_view_load(const char *path, struct arena *a, struct disk_view *ret, struct nook_error *e);
/* "" when it has none. */
const char *disk_view_uuid(const struct disk_view *v, struct arena *a);
