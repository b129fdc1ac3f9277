/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Environments: NULL-terminated lists of "NAME=VALUE"; NULL is an empty one. */
#pragma once

#include "base/alloc.h"

/* The value of the last NAME, or NULL. */
const char *environment_find(const char *const *env, const char *name);
/* A list in A without equal names: the last of them wins, in the place of the first.  WITHOUT, when not NULL, is left out. */
const char *const *environment_unique(struct arena *a, const char *const *env, const char *without);
