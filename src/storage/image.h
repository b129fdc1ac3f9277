/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of the depot: found by name, made visible, taken away. */
#pragma once

#include "image/config.h"
#include "storage/depot.h"

#include <limits.h>

struct image {
	const char *digest;   /* of its manifest */
	const char *id;       /* of its config: what docker calls the image's id */
	const char *platform; /* "linux/amd64" */
	const char *const *names; /* canonical, sorted; NULL-terminated, maybe empty */
	size_t n_names;
	int64_t created_ns;   /* as the config says, or 0 */
	int64_t added_ns;     /* when it came into the depot */
	uint64_t bytes;       /* of its layers, unpacked */
	uint64_t blob_bytes;  /* of its blobs */
	const char **layers;  /* absolute paths of its layers, the topmost first; NULL-terminated */
	size_t n_layers;
};

/* By name ("debian:12", "docker.io/library/debian:12", "x@sha256:...") or by a prefix of its id or digest (with or without
 * "sha256:").  -ENOENT with a sentence; -EEXIST when a prefix is not unique.  RET_NAME: the canonical name or NULL when it
 * was found by id; may be NULL. */
int image_find(struct depot *d, const char *text, struct arena *a, struct image *ret, const char **ret_name,
	struct nook_error *e);
/* All, the newest first. */
int image_list(struct depot *d, struct arena *a, struct image **ret, size_t *ret_n, struct nook_error *e);
int image_manifest(struct depot *d, const struct image *i, struct arena *a, struct manifest *ret, struct nook_error *e);
int image_config(struct depot *d, const struct image *i, struct arena *a, struct image_config *ret, struct nook_error *e);
/* What a container needs of an image: layers locked (shared) so that nobody removes them while FDS are open, and config.
 * FDS gets i->n_layers descriptors, in A. */
int image_hold(struct depot *d, struct image *i, struct arena *a, int **ret_fds, struct nook_error *e);
void image_release(int *fds, size_t n);

/* Makes an image visible whose manifest, config and layers are in the depot, in one transaction: NAME (canonical, or NULL
 * for none) leads to MANIFEST from then on.  TARGET: the digest of what the name stands for at its registry (an index), or
 * NULL for the manifest itself. */
int image_commit(struct depot *d, const char *name, const char *manifest, const char *target, struct nook_error *e);
/* Layer NTH (0: the bottom) unpacked once more and compared: 0, or 1 when the one that is kept was changed at PATH.  REPAIR:
 * the new one takes its place, unless somebody holds the old one (-EBUSY). */
enum layer_repair { LAYER_LEFT, LAYER_REPAIRED };
int image_check_layer(struct depot *d, const struct image *i, size_t nth, enum layer_repair repair, char path[static PATH_MAX],
	struct nook_error *e);
/* What NAME stands for at its registry; -ENOENT (nothing recorded) when it is unknown. */
int image_target(struct depot *d, const char *name, struct arena *a, const char **ret, struct nook_error *e);
int image_tag(struct depot *d, const struct image *i, const char *name, struct nook_error *e);
/* Takes NAME away.  1: it was the image's last one, and the image was removed with it. */
int image_untag(struct depot *d, const char *name, struct nook_error *e);
/* The image with all its names.  Layers and blobs that no other image needs and nobody holds go with it; BYTES (may be
 * NULL) is increased by what that freed. */
int image_remove(struct depot *d, const struct image *i, uint64_t *bytes, struct nook_error *e);
