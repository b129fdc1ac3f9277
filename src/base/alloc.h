/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory.  Small allocations abort when memory is out; a size that comes from outside is checked against a limit first.
 * Things that live and die together (a spec, a plan, a JSON document) come from one arena and have no free of their own.
 */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
CLEANUP_DEFINE(struct arena *, arena_free)

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *arena_memdup(struct arena *a, const void *p, size_t size);

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_n(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))

/* Grows an array held in an arena so that it has room for one more element; *items and *n are the array.
 * Returns the address of the new, zeroed element and counts it.  A zeroed one follows: lists of pointers end with NULL. */
void *arena_push_(struct arena *a, void **items, size_t *n, size_t size);
#define arena_push(a, items, n) \
	((__typeof__(*(items)))arena_push_((a), (void **)(items), (n), sizeof(**(items))))
