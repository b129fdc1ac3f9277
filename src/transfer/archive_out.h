/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where saved images go: files in a directory, or entries of a tar stream. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdint.h>

struct archive_out {
	int dir;    /* a directory, or -EBADF */
	int stream; /* a tar stream, or -EBADF; borrowed */
	struct arena *arena;
};

/* A folder such as "blobs/sha256", with what leads to it. */
int archive_out_folder(struct archive_out *o, const char *name, struct nook_error *e);
int archive_out_text(struct archive_out *o, const char *name, const char *text, struct nook_error *e);
/* SIZE bytes of FD from its beginning; in a directory a file that is there already stays. */
int archive_out_file(struct archive_out *o, const char *name, int fd, uint64_t size, struct nook_error *e);
int archive_out_end(struct archive_out *o, struct nook_error *e);
