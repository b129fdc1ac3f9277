/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests and indexes (OCI image-spec 1.1, Docker schema 2): parsed once at the edge, with everything checked that can
 * be checked without the blobs.  What is ambiguous is refused, for two programs would read it in two ways.
 */
#pragma once

#include "image/media.h"
#include "image/platform.h"
#include "spec/spec.h"

#include <stdint.h>

/* A manifest may be 4 MiB, as registries have it; the limits below keep an image from being an attack on memory. */
enum { MANIFEST_BYTES_MAX = 4 << 20, CONFIG_BYTES_MAX = 8 << 20, IMAGE_LAYERS_MAX = 128, INDEX_ENTRIES_MAX = 4096 };

struct descriptor {
	const char *media_type; /* "" when absent */
	const char *digest;     /* checked */
	uint64_t size;
	const char *const *urls; /* of a foreign layer; NULL-terminated or NULL */
	struct spec_pair *annotations;
	size_t n_annotations;
	const char *artifact_type; /* or NULL */
	bool has_platform;
	struct platform platform;
};

struct manifest {
	const char *artifact_type; /* or NULL */
	struct descriptor config;
	struct descriptor *layers; /* bottom first */
	size_t n_layers;
	bool has_subject;
	struct descriptor subject;
	struct spec_pair *annotations;
	size_t n_annotations;
};

struct image_index {
	const char *artifact_type;
	struct descriptor *manifests;
	size_t n_manifests;
	bool has_subject;
	struct descriptor subject;
	struct spec_pair *annotations;
	size_t n_annotations;
};

/* Either one. */
struct image_document {
	const char *media_type; /* in the body, else as transported, else by its members */
	bool is_index;
	struct manifest manifest;
	struct image_index index;
};

/* TEXT need not end with a NUL.  CONTENT_TYPE is what the transport said, or NULL.  NAME is the object of errors, such as
 * "docker.io/library/debian:12".  Refused: schema 1, "layers" beside "manifests", a body that contradicts its transport,
 * bad digests, sizes that are none, too many of anything. */
int image_document_parse(const char *text, size_t len, const char *content_type, const char *name, struct arena *a,
	struct image_document *ret, struct nook_error *e);
/* Is it an image that can be run: a config and layers of known types?  An artifact gets a clear refusal. */
int manifest_check_image(const struct manifest *m, const char *name, struct nook_error *e);
/* The entry of INDEX that suits WANTED best, which may be an index again: descend.  Nested deeper than
 * INDEX_DEPTH_MAX is for the caller to refuse.  -ENOENT lists what there is. */
enum { INDEX_DEPTH_MAX = 4 };
int image_index_select(const struct image_index *index, const struct platform *wanted, const char *name, struct arena *a,
	const struct descriptor **ret, struct nook_error *e);

/* The text of an OCI manifest or index, in A. */
const char *manifest_text(const struct manifest *m, struct arena *a);
const char *image_index_text(const struct image_index *index, struct arena *a);
