/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which system calls a box may make: the rule, and the filters that follow from it. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

struct nook_box;
struct spec;

/* What "strict" refuses beside the rest, comma-separated. */
extern const char box_strict_calls[];
int box_set_syscalls(struct nook_box *b, const char *value, struct nook_error *e);
int box_filter(const struct nook_box *b, struct arena *a, struct spec *s, struct nook_error *e);
