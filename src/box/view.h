/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a box sees of files, and where: this machine's programs, a few directories of its own, what rules show and hide. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* Where files of the box's own lie until they are in their places. */
#define BOX_PUT_DIR "/run/.nook-put"

struct nook_box;
struct spec;

/* Programs, libraries and their settings: what a box sees that is not bare; NULL-terminated. */
extern const char *const box_view_dirs[];
/* The home in a box: the caller's where that is a place of its own, else "/home". */
const char *box_home(struct arena *a);
/* Root, mounts, files, masks and Landlock's rules, for the user that S has already. */
int box_view(const struct nook_box *b, const char *home, struct arena *a, struct spec *s, struct nook_error *e);
