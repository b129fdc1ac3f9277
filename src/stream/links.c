/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/links.h"

#include <stdint.h>

struct link_entry {
	dev_t dev;
	ino_t ino;
	const char *name; /* NULL: free */
};

static struct link_entry *slot_of(const struct links *l, dev_t dev, ino_t ino)
{
	uint64_t at = ((uint64_t)ino ^ (uint64_t)dev << 48) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	for (;; at++) {
		struct link_entry *s = &l->slots[at & (l->room - 1)];

		if (!s->name || (s->dev == dev && s->ino == ino))
			return s;
	}
}

static void grow(struct links *l)
{
	struct links larger = {.room = l->room ? l->room * 2 : 64, .n = l->n, .names = l->names ? l->names : arena_new()};

	larger.slots = xcalloc(larger.room, sizeof(*larger.slots));
	for (size_t i = 0; i < l->room; i++)
		if (l->slots[i].name)
			*slot_of(&larger, l->slots[i].dev, l->slots[i].ino) = l->slots[i];
	free(l->slots);
	*l = larger;
}

const char *links_find(struct links *l, const struct stat *st, const char *name)
{
	struct link_entry *s;

	if (2 * l->n >= l->room)
		grow(l);
	s = slot_of(l, st->st_dev, st->st_ino);
	if (s->name)
		return s->name;
	*s = (struct link_entry){st->st_dev, st->st_ino, arena_strdup(l->names, name)};
	l->n++;
	return NULL;
}

void links_done(struct links *l)
{
	free(l->slots);
	if (l->names)
		arena_free(l->names);
	*l = (struct links){0};
}
