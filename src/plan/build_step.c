/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every part of the compiler uses. */
#include "plan/compile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void build_note(struct build *b, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	*arena_push(b->arena, &b->result->notes, &b->result->n_notes) = arena_strdup(b->arena, text);
	free(text);
}

struct step *build_step(struct build *b, enum stage stage, enum step_kind kind, const char *object)
{
	return plan_add_step(b->out, stage, kind, plan_add_str(b->out, object));
}

uint32_t build_host_id(const struct spec_idmap *maps, size_t n, uint32_t inside)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= maps[i].inside && inside - maps[i].inside < maps[i].count)
			return maps[i].outside + (inside - maps[i].inside);
	return n ? UINT32_MAX : inside;
}

struct ref build_map_text(struct build *b, const struct spec_idmap *maps, size_t n)
{
	struct buf text = {0};
	struct ref r;

	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", maps[i].inside, maps[i].outside, maps[i].count);
	r = plan_add_str(b->out, buf_text(&text));
	buf_done(&text);
	return r;
}
