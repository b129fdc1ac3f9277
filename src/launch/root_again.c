/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/root_again.h"

#include "launch/walk.h"

static bool makes_root(const struct step *s)
{
	return s->kind == DO_ROOT_ATTACH || s->kind == DO_ROOT_OVERLAY || s->kind == DO_ROOT_TMPFS;
}

/* Is SLOT one that the root is made of? */
static bool is_part(const struct plan *p, const struct step *root, int slot)
{
	const int16_t *lowers = plan_at(p, root->mount.lowers.at);

	if (slot < 0)
		return false;
	for (uint32_t i = 0; i < root->mount.lowers.n; i++)
		if (lowers[i] == slot)
			return true;
	return slot == root->slot || (root->kind == DO_ROOT_OVERLAY && slot == root->mount.upper_slot);
}

int launch_root_again(const struct plan *p, struct nook_error *e)
{
	const struct step *root = NULL;
	struct walk w;

	for (uint32_t i = 0; i < p->n_steps; i++)
		if (makes_root(&p->steps[i]))
			root = &p->steps[i];
	if (!root)
		return err_why(e, STEP_ROOT, "/", ENOENT, "the container had no root of its own");
	walk_init(&w, p);
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if ((s->kind == DO_OPEN_TREE || s->kind == DO_DISK) && is_part(p, root, s->slot))
			TRY(walk_one(&w, s, e));
	}
	TRY(walk_one(&w, root, e));
	return w.root;
}
