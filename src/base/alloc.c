/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Most containers fit in one block, so that a start touches few fresh pages. */
enum { BLOCK_SIZE = 16 * 1024 };

struct block {
	struct block *next;
	size_t used;
	size_t size;
	_Alignas(16) char data[];
};

struct arena {
	struct block *head;
};

static void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n, size_t size)
{
	return checked(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return s;
}

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->head) {
		struct block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	void *p;

	if (need < size)
		abort();
	if (!a->head || a->head->size - a->head->used < need) {
		size_t room = need > BLOCK_SIZE / 4 ? need : BLOCK_SIZE;
		struct block *b = checked(malloc(sizeof(*b) + room));

		*b = (struct block){.size = room};
		/* A block made for one large object goes behind the head, which still has room for small ones. */
		if (a->head && room == need) {
			b->next = a->head->next;
			a->head->next = b;
			b->used = need;
			return memset(b->data, 0, need);
		}
		b->next = a->head;
		a->head = b;
	}
	p = a->head->data + a->head->used;
	a->head->used += need;
	return memset(p, 0, need);
}

void *arena_memdup(struct arena *a, const void *p, size_t size)
{
	void *copy = arena_alloc(a, size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char room[256], *s;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(room, sizeof(room), fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	s = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof(room))
		memcpy(s, room, (size_t)n);
	else
		(void)vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

void *arena_push_(struct arena *a, void **items, size_t *n, size_t size)
{
	/* Capacity is the next power of two, so it need not be stored; one more stays zero behind it. */
	if ((*n & (*n - 1)) == 0) {
		void *grown = arena_alloc(a, ((*n ? *n * 2 : 1) + 1) * size);

		if (*n)
			memcpy(grown, *items, *n * size);
		*items = grown;
	}
	return (char *)*items + (*n)++ * size;
}
