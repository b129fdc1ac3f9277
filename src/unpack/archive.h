/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a tar archive (plain or compressed with gzip, bzip2, zstd, xz) and hands its entries to a writer. */
#pragma once

#include "unpack/writer.h"

/* From the descriptor INPUT, which need not be seekable, to the end.  Runs no program.  Messages name the entry. */
int archive_unpack(int input, struct writer *w, struct nook_error *e);
