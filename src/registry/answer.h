/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What registries and token servers say in JSON. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>

/* The first error in words ("manifest unknown"), in A and fit for one line; NULL when there is none. */
const char *answer_error(const char *text, size_t len, struct arena *a);
/* "token" or "access_token"; it goes into a header, so anything but visible ASCII is refused. */
int answer_token(const char *text, size_t len, const char *name, struct arena *a, const char **ret, struct nook_error *e);

/* {"tags": [...]} and {"repositories": [...]}. */
enum answer_list { ANSWER_TAGS, ANSWER_REPOSITORIES };
int answer_names(const char *text, size_t len, enum answer_list kind, const char *name, struct arena *a, const char ***list,
	size_t *n, struct nook_error *e);

/* The target of the relation "next" in the value of a Link header, in A; NULL when there is none. */
const char *answer_next(const char *link, struct arena *a);

/* What a search found. */
struct answer_found {
	const char *name, *description;
	int64_t stars;
	bool is_official;
};
int answer_search(const char *text, size_t len, const char *name, struct arena *a, struct answer_found **ret, size_t *ret_n,
	struct nook_error *e);
