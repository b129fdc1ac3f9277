/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that lie in files: an OCI layout as a directory or a tar, and the archives of `docker save` (before version 25 a
 * folder for each layer, since then an OCI layout with a manifest.json beside it).
 */
#pragma once

#include "image/manifest.h"
#include "storage/depot.h"
#include "archive/tarindex.h"

struct source {
	const char *what;    /* as the user named it */
	const char *tag;     /* which of several, or NULL */
	int dir;             /* an OCI layout in a directory, or -EBADF */
	int file;            /* an archive, or -EBADF */
	struct tarindex tar; /* of the archive */
	bool is_layout;      /* index.json and blobs/ */
	const char *flat;    /* of a directory as skopeo copies one to "dir:": the digest of its manifest.json; else NULL */
	struct arena *arena;
};
#define SOURCE_INIT {.dir = -EBADF, .file = -EBADF}

/* "oci:DIR[:TAG]", "dir:DIR", "oci-archive:FILE[:TAG]", "docker-archive:FILE[:NAME]", or a file that is told by what is in it; NULL or
 * "-" is stdin.  A stream or a compressed archive is first written to a nameless file of the depot. */
int source_open(struct depot *d, const char *text, struct arena *a, struct source *ret, struct nook_error *e);
/* The file or directory that source_open() would open; NULL: it is stdin. */
const char *source_path(const char *text, struct arena *a);
void source_done(struct source *s);

/* One stretch of bytes of it. */
struct piece {
	int fd;   /* borrowed from the source, or the piece's own */
	bool own;
	uint64_t at, size;
};
void piece_done(struct piece *p);
/* A file of it: "index.json", "blobs/sha256/...".  -ENOENT (nothing recorded): there is none. */
int source_piece(const struct source *s, const char *name, struct piece *ret, struct nook_error *e);
int source_blob(const struct source *s, const char *digest, struct piece *ret, struct nook_error *e);
/* The text of a small one, in A. */
int piece_text(const struct piece *p, size_t limit, const char *what, struct arena *a, const char **ret, struct nook_error *e);
