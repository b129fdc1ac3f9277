/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/rootfs.h"

#include <sys/mount.h>

static const struct step *find_root(const struct plan *p)
{
	const struct step *root = NULL;

	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_ROOT_ATTACH || p->steps[i].kind == DO_ROOT_OVERLAY || p->steps[i].kind == DO_ROOT_TMPFS)
			root = &p->steps[i];
	return root;
}

/* What is in SLOT: a path, and a disk when it is one. */
static const char *source_of(const struct plan *p, int slot, struct arena *a, const struct spec_disk **ret_disk)
{
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if ((s->kind != DO_OPEN_TREE && s->kind != DO_DISK) || s->slot != slot)
			continue;
		if (s->kind == DO_DISK) {
			struct spec_disk *disk = arena_new_of(a, struct spec_disk);

			*disk = (struct spec_disk){arena_strdup(a, plan_str(p, s->mount.source)), arena_strdup(a, plan_str(p, s->mount.fstype)),
				(s->mount.sb_flags & MS_RDONLY) != 0};
			*ret_disk = disk;
		}
		return arena_strdup(a, plan_str(p, s->mount.source));
	}
	return NULL;
}

static int overlay_of(const struct plan *p, const struct step *root, struct arena *a, struct spec_root *r, struct nook_error *e)
{
	const int16_t *slots = plan_at(p, root->mount.lowers.at);
	const struct spec_disk *none = NULL;
	const char **lowers = NULL;
	size_t n = 0;

	r->kind = ROOT_OVERLAY;
	for (uint32_t i = 0; i < root->mount.lowers.n; i++) {
		const char *path = source_of(p, slots[i], a, i ? &none : &r->disk);

		if (!path || none)
			return err_why(e, STEP_STATE, "plan", EINVAL, "its root has a layer that is nowhere");
		if (i)
			*arena_push(a, &lowers, &n) = path;
		else
			r->path = path;
	}
	r->lowers = lowers;
	if (root->mount.upper_slot == SLOT_NONE)
		return 0;
	r->upper = source_of(p, root->mount.upper_slot, a, &r->upper_disk);
	if (r->upper_disk)
		r->upper = NULL;
	return 0;
}

int rootfs_of_plan(const struct plan *p, struct arena *a, struct spec_root *ret, struct nook_error *e)
{
	const struct step *root = find_root(p);
	struct spec_root r = {0};

	if (!root || root->kind == DO_ROOT_TMPFS)
		return err_why(e, STEP_ROOT, "/", ENOENT, "it had no root of its own that stayed");
	if (root->kind == DO_ROOT_OVERLAY) {
		TRY(overlay_of(p, root, a, &r, e));
	} else {
		r.kind = ROOT_DIR;
		r.path = source_of(p, root->slot, a, &r.disk);
	}
	if (!r.path)
		return err_why(e, STEP_STATE, "plan", EINVAL, "its root is nowhere");
	*ret = r;
	return 0;
}

bool rootfs_has_user_marks(const struct plan *p)
{
	const struct step *root = find_root(p);

	return root && root->kind == DO_ROOT_OVERLAY && (root->flags & OVERLAY_USERXATTR);
}

const char *const *rootfs_command(const struct plan *p, struct arena *a)
{
	const char **argv = NULL;
	size_t n = 0;

	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		const char *at = plan_at(p, s->exec.argv.at);

		if (s->kind != DO_EXEC)
			continue;
		for (uint32_t k = 0; k < s->exec.argv.n; k++, at = plan_next(at))
			*arena_push(a, &argv, &n) = arena_strdup(a, at);
	}
	return argv;
}
