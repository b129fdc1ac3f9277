/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One blob from a file into a registry. */
#pragma once

#include "registry/remote.h"
#include "transfer/progress.h"

struct upload {
	int fd; /* read with pread(2) */
	uint64_t size;
	const char *digest;
	const char *const *mounts; /* repositories of the same registry that may have it; NULL-terminated or NULL */
	uint64_t chunk_size;       /* 0: in one piece, unless the registry wants otherwise */
	unsigned tries;
};

/* Not sent when the registry has it (PROGRESS_PRESENT), or when it can be taken from a repository of U->mounts. */
int upload_blob(struct remote *r, const struct upload *u, struct progress_row *row, struct nook_error *e);
