/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests and indexes of a registry: fetched, verified, parsed. */
#pragma once

#include "image/digest.h"
#include "image/manifest.h"
#include "registry/remote.h"

struct document {
	const char *text;
	size_t len;
	const char *content_type; /* as the registry said, or NULL */
	const char *digest;       /* computed, and equal to what was asked for or promised */
	struct image_document parsed;
};

/* REFERENCE is a tag or a digest.  SIZE: what a descriptor promises, or 0.  Strings are A's. */
int document_fetch(struct remote *r, const char *reference, uint64_t size, struct arena *a, struct document *ret, struct nook_error *e);
/* The digest that REFERENCE stands for, without fetching it: 0, or 1 when the registry does not say. */
int document_head(struct remote *r, const char *reference, struct arena *a, const char **ret, struct nook_error *e);
/* Down from an index to the manifest for WANTED; *D is replaced. */
int document_descend(struct remote *r, const struct platform *wanted, struct arena *a, struct document *d, struct nook_error *e);
/* What refers to DIGEST: an index, by the API or the tag that stands in for it. */
int document_referrers(struct remote *r, const char *digest, struct arena *a, struct document *ret, struct nook_error *e);
