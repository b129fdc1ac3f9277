/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file with given content at any place, also where the tree is read-only: it is written under a name in a tmpfs of the
 * container's own, shown at its place by a mount, and the name is taken away.
 */
#include "launch/apply_mount.h"

#include "base/fd.h"
#include "sys/inroot.h"

#include <limits.h>
#include <sys/mount.h>

enum { FILE_MODE = 0644 };

static int write_staging(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *staging = walk_str(w, s->file.staging);
	auto_close int fd = inroot_open_raw(w->root, staging, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	int r;

	if (fd < 0)
		return err_num(e, STEP_FILE, staging, fd);
	r = fd_write(fd, plan_at(w->plan, s->file.data.at), s->file.data.n);
	return r < 0 ? err_num(e, STEP_FILE, walk_str(w, s->object), r) : 0;
}

/* A detached mount of the file. */
static int mount_staging(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *staging = walk_str(w, s->file.staging);
	auto_close int file = TRY(inroot_open(w->root, staging, O_PATH | O_CLOEXEC, STEP_FILE, e));
	int mnt = open_tree(file, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return mnt < 0 ? err_sys(e, STEP_FILE, staging) : mnt;
}

static int remove_staging(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *staging = walk_str(w, s->file.staging);
	char last[NAME_MAX + 1];
	auto_close int parent = TRY(inroot_parent(w->root, staging, 0755, last, sizeof(last), e));

	return unlinkat(parent, last, 0) < 0 ? err_sys(e, STEP_FILE, staging) : 0;
}

int apply_put(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->file.target);

	TRY(write_staging(w, s, e));
	auto_close int mnt = TRY(mount_staging(w, s, e));
	auto_close int at = TRY(inroot_mkfile(w->root, target, FILE_MODE, e));

	TRY(set_attr(mnt, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0, target, e));
	TRY(attach_to(mnt, at, STEP_FILE, target, e));
	/* Only now: a file without a name cannot be attached. */
	return remove_staging(w, s, e);
}
