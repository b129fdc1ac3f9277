/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owners of files that belong to the ids of a container as they are on disk: who that is inside. */
#pragma once

#include "spec/spec.h"

#include <sys/stat.h>

/* Without maps all stay who they are. */
struct owners {
	const struct spec_idmap *uids, *gids;
	size_t n_uids, n_gids;
};

void owners_inside(const struct owners *o, struct stat *st);
/* VALUE (LEN bytes) of the extended attribute NAME, which may name ids, too: changed in place; its length. */
size_t owners_inside_value(const struct owners *o, const char *name, void *value, size_t len);
