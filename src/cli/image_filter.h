/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --filter of commands that go through images. */
#pragma once

#include "command/command.h"
#include "storage/image.h"

struct image_filter {
	const char *reference; /* a pattern of names, or NULL */
	const char *const *labels; /* "key" or "key=value": all must be there; NULL-terminated or NULL */
	int dangling;          /* 1: only without a name, -1: only with one, 0: any */
	const char *before, *since; /* images that are older or newer than these, or NULL */
	int64_t before_ns;     /* until=: only older ones; 0: any */
};

int image_filter_parse(const struct opt_list *options, struct arena *a, struct image_filter *ret, struct nook_error *e);
/* 1 or 0. */
int image_filter_passes(const struct image_filter *f, struct depot *d, const struct image *i, struct arena *a, struct nook_error *e);
/* Is this name (canonical) asked for? */
bool image_filter_names(const struct image_filter *f, const char *name);
