/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images as docker spells them: [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST].  The first component is a registry when
 * it holds a "." or a ":" or is "localhost"; otherwise the name is short and stands for docker.io, where a path of one
 * component lies below "library/".
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>

enum { REFERENCE_NAME_MAX = 255, REFERENCE_TAG_MAX = 128 };

struct reference {
	const char *registry;   /* "docker.io", "localhost:5000", "[::1]:5000" */
	const char *repository; /* "library/debian" */
	const char *tag;        /* "latest" when neither tag nor digest was given; NULL with a digest alone */
	const char *digest;     /* checked, or NULL; where both stand, it decides */
	const char *given_path; /* of a short name: the path as given, "debian"; otherwise the repository */
	bool is_short;          /* no registry was given */
};

/* Strings are A's.  -EINVAL with one clause; a name of 64 hex digits is refused, as docker does, for it is an id. */
int reference_parse(const char *text, struct arena *a, struct reference *ret, struct nook_error *e);
/* "docker.io/library/debian:12", "host/x@sha256:..."; with both: the tag stands before the digest. */
const char *reference_text(const struct reference *r, struct arena *a);
/* As people write it: without docker.io and library/. */
const char *reference_familiar(const char *canonical);
