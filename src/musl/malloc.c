/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The heap of programs that live for a few milliseconds, or for days with one thread and little to remember.  musl's own
 * asks the kernel for each size anew (forty calls in a start); this one takes memory from the program's zeroed segment,
 * which costs a page when it is touched and no call, and asks for more only when that is used up.
 *
 * A block is of a power of two, or of three quarters of one; what is freed waits for the next of its size, and what is large
 * goes back to the kernel.  There is no locking: the programs that are linked with it have no threads.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 16, CLASSES = 2 * 64, FIRST = 512 << 10, MORE = 1 << 20, LARGE = 256 << 10 };

struct header {
	size_t size; /* of the block behind it */
	struct header *next; /* while it is free */
};

_Static_assert(sizeof(struct header) == ALIGN, "what follows a header is aligned");

static _Alignas(ALIGN) char first[FIRST];
static char *at = first, *end = first + FIRST;
static struct header *waiting[CLASSES];

/* The class of the smallest blocks that hold SIZE bytes, and what they hold. */
static unsigned class_of(size_t size, size_t *ret_size)
{
	unsigned bits = 5;

	while (((size_t)1 << bits) < size)
		bits++;
	*ret_size = (size_t)1 << bits;
	if (bits > 5 && size <= *ret_size / 4 * 3) {
		*ret_size = *ret_size / 4 * 3;
		return 2 * bits - 1;
	}
	return 2 * bits;
}

static struct header *take_large(size_t size)
{
	struct header *block = mmap(NULL, sizeof(*block) + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return NULL;
	block->size = size;
	return block;
}

static struct header *take(size_t size)
{
	struct header *block;

	if ((size_t)(end - at) < sizeof(*block) + size) {
		char *more = mmap(NULL, MORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			return NULL;
		at = more;
		end = more + MORE;
	}
	block = (void *)at;
	at += sizeof(*block) + size;
	block->size = size;
	return block;
}

/* Not malloc() itself: the compiler knows that name, and would make calloc() of it and memset(3). */
static struct header *get(size_t wanted)
{
	struct header *block;
	unsigned class;
	size_t size;

	if (wanted > PTRDIFF_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	class = class_of(wanted, &size);
	if (size >= LARGE)
		return take_large(size);
	block = waiting[class];
	if (!block)
		return take(size);
	waiting[class] = block->next;
	return block;
}

void *malloc(size_t size)
{
	struct header *block = get(size);

	return block ? block + 1 : NULL;
}

/* The analyzer takes it for the free(3) of somebody else, after which P is gone. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#endif

void free(void *p)
{
	struct header *block;
	unsigned class;
	size_t size;

	if (!p)
		return;
	block = (struct header *)p - 1;
	class = class_of(block->size, &size);
	if (size >= LARGE) {
		(void)munmap(block, sizeof(*block) + size);
		return;
	}
	block->next = waiting[class];
	waiting[class] = block;
}

void *calloc(size_t n, size_t size)
{
	struct header *block;
	size_t whole;

	if (__builtin_mul_overflow(n, size, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	block = get(whole);
	return block ? memset(block + 1, 0, whole) : NULL;
}

/* The last block that was taken has room behind it. */
static bool grow(struct header *block, size_t wanted)
{
	size_t size;

	if ((char *)(block + 1) + block->size != at || wanted > PTRDIFF_MAX / 2)
		return false;
	(void)class_of(wanted, &size);
	if (size >= LARGE || (size_t)(end - at) < size - block->size)
		return false;
	at += size - block->size;
	block->size = size;
	return true;
}

void *realloc(void *p, size_t size)
{
	struct header *block = p ? (struct header *)p - 1 : NULL, *moved;

	if (block && size && (size <= block->size || grow(block, size)))
		return p;
	moved = get(size);
	if (!moved)
		return NULL;
	if (block) {
		memcpy(moved + 1, p, block->size < size ? block->size : size);
		free(p);
	}
	return moved + 1;
}
