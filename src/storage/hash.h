/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests of content, by libcrypto. */
#pragma once

#include "base/cleanup.h"
#include "image/digest.h"

struct hash;

struct hash *hash_new(enum digest_algorithm algorithm);
void hash_free(struct hash *h);
CLEANUP_DEFINE(struct hash *, hash_free)
void hash_restart(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t size);
/* The digest of all that was added; the hash takes no more until hash_restart(). */
void hash_end(struct hash *h, char ret[static DIGEST_TEXT_MAX]);
