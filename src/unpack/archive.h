/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a tar archive (plain or compressed with gzip, bzip2, zstd, xz) and hands its entries to a writer. */
#pragma once

#include "unpack/writer.h"

/* From the descriptor INPUT, which need not be seekable, to the end.  Runs no program.  Messages name the entry. */
int archive_unpack(int input, struct writer *w, struct nook_error *e);

struct inflate;
/* The same for a layer: a plain tar as INPUT hands it out, read to the end of the stream, so that its digest is complete. */
int archive_unpack_layer(struct inflate *input, struct writer *w, struct nook_error *e);
