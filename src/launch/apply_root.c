/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's root.  It is attached on top of "/" of the new mount namespace, where it is in nobody's way: paths that
 * start at the process's root still see the host's tree beneath, until pivot_root(2) swaps the two.
 */
#include "launch/apply_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static int root_attach(struct walk *w, int mnt, const char *place, struct nook_error *e)
{
	if (move_mount(mnt, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, STEP_ROOT, place);
	w->root = mnt;
	return 0;
}

int apply_root_attach(struct walk *w, const struct step *s, struct nook_error *e)
{
	int mnt = walk_slot(w, s->slot);

	if (s->mount.propagation || s->mount.rec_attr_set)
		TRY(set_attr(mnt, s->mount.rec_attr_set, 0, s->mount.propagation & ~(uint64_t)MS_REC, AT_RECURSIVE,
			walk_str(w, s->object), e));
	TRY(root_attach(w, mnt, s->flags & ROOT_IN_PLACE ? walk_str(w, s->mount.source) : "/", e));
	w->slots[s->slot] = -EBADF;
	return 0;
}

int apply_root_tmpfs(struct walk *w, const struct step *s, struct nook_error *e)
{
	return root_attach(w, TRY(fs_make(w, s, "tmpfs", e)), "/", e);
}

int apply_root_overlay(struct walk *w, const struct step *s, struct nook_error *e)
{
	return root_attach(w, TRY(overlay_make(w, s, e)), "/", e);
}

int apply_pivot(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (walk_chdir(w, w->root) < 0)
		return err_sys(e, STEP_PIVOT, "/");
	if (s->flags & PIVOT_NONE) {
		/* ELOOP: it lies on "/" already. */
		if ((mount(".", "/", NULL, MS_MOVE, NULL) < 0 && errno != ELOOP) || chroot(".") < 0)
			return err_sys(e, STEP_PIVOT, "/");
	} else {
		/* pivot_root(2), "pivot_root(".", ".")": the old root lands on top of the new one and is let go. */
		if (syscall(SYS_pivot_root, ".", ".") < 0)
			return err_sys(e, STEP_PIVOT, "/");
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, STEP_PIVOT, "old root");
	}
	/* The working directory, which was "." all the time, is "/" now. */
	return 0;
}

int apply_root_readonly(struct walk *w, const struct step *s, struct nook_error *e)
{
	return set_attr(w->root, MOUNT_ATTR_RDONLY, 0, 0, 0, "/", e);
}

int apply_root_propagation(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (mount(NULL, "/", NULL, s->mount.propagation, NULL) < 0)
		return err_sys(e, STEP_ROOT, "/");
	return 0;
}
