/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of options that several commands have. */
#pragma once

#include "command/command.h"
#include "image/media.h"
#include "image/platform.h"

/* "gzip", "zstd", "none"; NULL is gzip. */
int option_compression(const char *text, enum compression *ret, struct nook_error *e);
/* --NAME or --NAME=true|false; NULL is true. */
int option_bool(const char *name, const char *text, bool *ret, struct nook_error *e);
/* The canonical form of a name that an image is to get. */
int option_name(const char *text, struct arena *a, const char **ret, struct nook_error *e);

/* nook import, as other commands use it. */
struct depot;
struct starter;
struct import_want {
	const char *source;     /* a file, a directory or "-" */
	const char *name;       /* canonical, or NULL */
	const char *message, *created_by;
	const struct platform *platform; /* or NULL: this machine's */
	struct opt_list changes;
	enum compression compression;
	struct cli *shut_in;     /* a file is read behind the walls (transfer/shut_in.h), or NULL */
	struct starter *starter; /* for that */
};
int import_source(struct depot *d, const struct import_want *want, struct arena *a, const char **ret_id, struct nook_error *e);
