/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unpacked layers: directories below layers/, complete when they are there. */
#pragma once

#include "image/digest.h"
#include "storage/depot.h"

#include <stdint.h>

enum { LAYER_KEY_MAX = 160, LAYER_PATH_MAX = LAYER_KEY_MAX + 8 };

/* The name of a layer that needs none below it: its DiffID's hex digits. */
void layer_key(const char *diff_id, char ret[static LAYER_KEY_MAX]);
/* "layers/KEY". */
void layer_path(const char *key, char ret[static LAYER_PATH_MAX]);
/* A descriptor with a shared lock, or -ENOENT (nothing recorded). */
int layer_open(const struct depot *d, const char *key, struct nook_error *e);
bool layer_exists(const struct depot *d, const char *key);

struct layer_facts {
	char diff_id[DIGEST_TEXT_MAX]; /* "sha256:..." as it was found */
	uint64_t bytes, entries;
};
/* Gives the finished directory NAME of ingest/ its final name; when another process was faster, theirs is kept. */
int layer_publish(struct depot *d, const char *name, const char *key, const struct layer_facts *facts, struct nook_error *e);
