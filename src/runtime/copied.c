/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/copied.h"

#include "base/text.h"
#include "runtime/data.h"

#include <stdio.h>

bool copied_is(const struct container *c)
{
	return container_annotation(c, ANNOTATION_COPY) != NULL;
}

static const char *kept_of(const struct container *c, enum data_kind kind)
{
	for (size_t i = 0; i < c->n_kept; i++)
		if (data_is(kind, c->kept[i]))
			return c->kept[i];
	return NULL;
}

const char *copied_root(const struct container *c)
{
	return copied_is(c) ? kept_of(c, DATA_UNPACKED) : NULL;
}

bool copied_is_changed(const struct container *c)
{
	return copied_root(c) && !kept_of(c, DATA_LAYER);
}

/* "0 524288 65536\n" for each range. */
static int parse_map(const char *text, struct arena *a, struct spec_idmap **ret, size_t *ret_n, struct nook_error *e)
{
	for (struct spec_idmap m; *text; text += strcspn(text, "\n") + 1) {
		if (sscanf(text, "%u %u %u", &m.inside, &m.outside, &m.count) != 3 || !strchr(text, '\n'))
			return err_why(e, STEP_STATE, "plan", EINVAL, "has no map of ids that could be read");
		*arena_push(a, ret, ret_n) = m;
	}
	return 0;
}

int copied_range(const struct container *c, const struct plan *p, struct arena *a, struct idrange *ret, struct nook_error *e)
{
	const char *how = container_annotation(c, ANNOTATION_COPY);
	struct idrange r = {.kind = IDRANGE_TAKEN};

	if (!how || !text_is(how, COPY_MAPPED))
		return 0;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->kind != DO_IDMAP)
			continue;
		TRY(parse_map(plan_str(p, s->idmap.uid_map), a, &r.uid_maps, &r.n_uid_maps, e));
		TRY(parse_map(plan_str(p, s->idmap.gid_map), a, &r.gid_maps, &r.n_gid_maps, e));
	}
	if (r.n_uid_maps != 1 || r.n_gid_maps != 1)
		return err_why(e, STEP_STATE, "plan", EINVAL, "does not say whose ids its files belong to");
	r.base = r.uid_maps[0].outside;
	*ret = r;
	return 1;
}

struct owners copied_owners(const struct idrange *range)
{
	return (struct owners){range->uid_maps, range->gid_maps, range->n_uid_maps, range->n_gid_maps};
}
