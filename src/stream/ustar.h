/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the writer and the reader of headers (header_out.c, header_in.c) have in common: the block and the names of records. */
#pragma once

#include "stream/header.h"

#define XATTR_RECORD "SCHILY.xattr."
#define SPARSE_RECORD "NOOK.sparse"
#define COMMENT_RECORD "comment"
#define GNU_SPARSE "GNU.sparse."

/* ustar, POSIX.1-1988 */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");
