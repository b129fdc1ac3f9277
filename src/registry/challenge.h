/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a registry asks for: the value of Www-Authenticate (RFC 9110), which may hold several challenges. */
#pragma once

#include "base/alloc.h"

enum challenge_scheme { CHALLENGE_OTHER, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	const char *realm, *service, *scope; /* NULL when absent */
};

enum { CHALLENGES_MAX = 16 };

/* Appends the challenges of VALUE to *list, at most CHALLENGES_MAX altogether.  Text that is none ends the reading: what
 * stood before it counts. */
void challenge_parse(const char *value, struct arena *a, struct challenge **list, size_t *n);
