/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Media types of images as a table: OCI image-spec 1.1 and Docker schema 2. */
#pragma once

#include <stdbool.h>

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_EMPTY,   /* "{}": the config of an artifact that has none */
	MEDIA_LAYER,
	MEDIA_SCHEMA1, /* Docker's first format: refused */
};

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSIONS };
extern const char *const compression_names[COMPRESSIONS]; /* "none", "gzip", "zstd" */

struct media {
	const char *type;
	enum media_kind kind;
	enum compression compression; /* of a layer */
	bool docker;
	bool foreign; /* a layer that need not be in a registry ("nondistributable") */
};

/* The row of TYPE; parameters behind a ";" do not count.  Never NULL: what is not in the table has kind MEDIA_UNKNOWN. */
const struct media *media_find(const char *type);
/* The OCI media type of a layer, of a manifest and so on: for what nook writes itself. */
const char *media_layer_type(enum compression compression);
extern const char media_oci_index[], media_oci_manifest[], media_oci_config[];
/* For an Accept header: every manifest and index that can be read, NULL-terminated. */
extern const char *const media_accepted[];
