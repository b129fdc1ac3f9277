/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layer that is made here: a plain tar goes in, and is compressed, hashed, stored and unpacked. */
#pragma once

#include "image/config.h"
#include "storage/depot.h"

struct newlayer;

/* A layer that goes into FILE (borrowed, written from where it stands) and nowhere else. */
struct newlayer *newlayer_in_file(int file, enum compression compression);
/* The end of what goes in: how the layer is called. */
int newlayer_end(struct newlayer *l, struct arena *a, struct descriptor *ret, const char **ret_diff_id, struct nook_error *e);

/* One that goes into the depot. */
int newlayer_open(struct depot *d, enum compression compression, struct newlayer **ret, struct nook_error *e);
int newlayer_add(struct newlayer *l, const void *data, size_t size, struct nook_error *e);
/* All that FD still has. */
int newlayer_read(struct newlayer *l, int fd, struct nook_error *e);
/* The same, and the blob is in the depot then.  Strings are A's. */
int newlayer_finish(struct newlayer *l, struct arena *a, struct descriptor *ret, const char **ret_diff_id, struct nook_error *e);
void newlayer_free(struct newlayer *l);
CLEANUP_DEFINE(struct newlayer *, newlayer_free)

/* An image of OLD's layers (OLD may be NULL) and one more, or of that one alone, made visible as NAME. */
struct newimage {
	const struct manifest *old;  /* or NULL */
	struct image_config *config; /* its diff_ids and history are of the old layers */
	const struct descriptor *layer; /* NULL: no more than the config is new */
	const char *diff_id;
	const char *created_by, *comment; /* of the new step in the history */
	const char *author; /* or NULL */
	const char *name;   /* canonical, or NULL */
};
/* Its documents; CONFIG is changed as they say. */
struct newimage_texts {
	const char *config, *config_digest, *manifest, *manifest_digest;
};
void newimage_texts(const struct newimage *n, struct arena *a, struct newimage_texts *ret);
int newimage_commit(struct depot *d, const struct newimage *n, struct arena *a, const char **ret_id, struct nook_error *e);
