/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Content digests as text: "sha256:" and 64, "sha512:" and 128 lower-case hex digits, nothing else.  A digest that was
 * checked is safe as part of a path.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512, DIGEST_ALGORITHMS };
enum { DIGEST_TEXT_MAX = sizeof("sha512:") + 128 };

/* NULL is no digest. */
bool digest_is_valid(const char *text);
/* Of a valid digest: */
enum digest_algorithm digest_algorithm(const char *digest);
const char *digest_hex(const char *digest);
/* The algorithm of this name; -1: there is none. */
int digest_algorithm_find(const char *name);
/* The algorithm that TEXT begins with, before a colon, and what stands behind that; -1: there is none. */
int digest_split(const char *text, const char **ret_hex);
/* "sha256", "sha512". */
extern const char *const digest_names[DIGEST_ALGORITHMS];
/* The tag under which a registry that does not list referrers has them: "sha256-HEX", of the hex digits 64 at most
 * (OCI distribution-spec, "Referrers Tag Schema").  Of a checked digest. */
const char *digest_referrers_tag(const char *digest, struct arena *a);
/* Number of bytes of the binary form. */
extern const size_t digest_sizes[DIGEST_ALGORITHMS];
/* The text of SIZE binary bytes, which must be as many as the algorithm has. */
void digest_text(enum digest_algorithm algorithm, const unsigned char *bytes, char ret[static DIGEST_TEXT_MAX]);
