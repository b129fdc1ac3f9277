/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Masks and read-only paths.  A file is covered by the host's /dev/null, whose device number is checked, never by the
 * container's; a directory by an empty read-only tmpfs that all of one place share.
 */
#include "launch/apply_mount.h"

#include "sys/inroot.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Where the paths of a step start: a file system mounted by us, in which the kernel alone makes names, or the root. */
static int base_of(const struct walk *w, const char *base)
{
	if (!strcmp(base, "/proc") && w->proc >= 0)
		return w->proc;
	if (!strcmp(base, "/sys") && w->sys >= 0)
		return w->sys;
	return -EBADF;
}

static int null_open(struct walk *w, struct nook_error *e)
{
	struct stat st;

	if (w->host_null >= 0)
		return 0;
	w->host_null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (w->host_null < 0 || fstat(w->host_null, &st) < 0)
		return err_sys(e, STEP_MASK, "/dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_why(e, STEP_MASK, "/dev/null", ENODEV, "the host's is not the null device");
	return 0;
}

/* A detached mount that covers a file; private, for the host's /dev may be shared, and so are the binds of it. */
static int null_clone(struct walk *w, struct nook_error *e)
{
	int fd = open_tree(w->host_null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return err_sys(e, STEP_MASK, "/dev/null");
	TRY(set_attr(fd, 0, 0, MS_PRIVATE, 0, "/dev/null", e));
	return fd;
}

/* A detached mount that covers a directory: the first one is made, the others are clones of it once it is attached. */
static int empty_clone(struct walk *w, struct nook_error *e)
{
	int fs, fd;

	if (w->mask_dir >= 0) {
		fd = open_tree(w->mask_dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		return fd < 0 ? err_sys(e, STEP_MASK, "tmpfs") : fd;
	}
	/* Read-only as a mount, so that nothing can ever be made in it. */
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, STEP_MASK, "tmpfs");
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? err_sys(e, STEP_MASK, "tmpfs") : fd;
}

/* Attaches COVER over PATH, looked up below the container's root: 0, or -errno unrecorded. */
static int cover(struct walk *w, int cover_fd, const char *path)
{
	int at = inroot_open_raw(w->root, path, O_PATH | O_CLOEXEC, 0);

	if (at < 0)
		return at;
	return move_mount(cover_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

/* What covers the paths of one step.  A cover that finds nothing to cover is kept for the next path: closing a mount that
 * is attached nowhere waits for an RCU grace period.  In a file system of our own, which is the working directory then, names
 * are enough: the first cover of a kind is made in place and the others are binds of that one, one system call each. */
struct covers {
	int base;
	int null, empty;        /* a cover not yet used, or -EBADF */
	const char *first_null; /* where one has been attached */
	const char *first_dir;
};

static int mask_file(struct walk *w, struct covers *c, const char *path, struct nook_error *e)
{
	int r;

	if (c->null < 0)
		c->null = TRY(null_clone(w, e));
	r = cover(w, c->null, path);
	if (r == 0)
		c->null = -EBADF;
	return r;
}

static int mask_dir(struct walk *w, struct covers *c, const char *path, struct nook_error *e)
{
	int r;

	if (c->empty < 0)
		c->empty = TRY(empty_clone(w, e));
	r = cover(w, c->empty, path);
	if (r == 0) {
		if (w->mask_dir < 0)
			w->mask_dir = c->empty;
		c->empty = -EBADF;
	}
	return r;
}

/* Is what covers BASE/PATH the null device, and nothing that could follow the host's mounts? */
static int null_seal(int base, const char *path, struct nook_error *e)
{
	struct mount_attr a = {.propagation = MS_PRIVATE};
	struct stat st;

	if (fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_MASK, path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_why(e, STEP_MASK, "/dev/null", ENODEV, "the host's is not the null device");
	return mount_setattr(base, path, 0, &a, sizeof(a)) < 0 ? err_sys(e, STEP_MASK, path) : 0;
}

static int mask_file_here(struct covers *c, const char *path)
{
	if (c->first_null)
		return mount(c->first_null, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
	if (mount("/dev/null", path, NULL, MS_BIND, NULL) < 0)
		return -errno;
	c->first_null = path;
	return 0;
}

static int mask_dir_here(struct covers *c, const char *path)
{
	/* Read-only as a mount, so that nothing can ever be made in it. */
	enum { FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC };

	if (c->first_dir)
		return mount(c->first_dir, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
	if (mount("tmpfs", path, "tmpfs", FLAGS, "mode=0555") < 0)
		return -errno;
	c->first_dir = path;
	return 0;
}

int apply_mask(struct walk *w, const struct step *s, struct nook_error *e)
{
	struct covers c = {.base = base_of(w, walk_str(w, s->mask.base)), .null = -EBADF, .empty = -EBADF};
	const char *path = plan_at(w->plan, s->mask.paths.at);

	if (c.base < 0)
		TRY(null_open(w, e));
	else if (walk_chdir(w, c.base) < 0)
		return err_sys(e, STEP_MASK, walk_str(w, s->mask.base));
	for (uint32_t i = 0; i < s->mask.paths.n; i++, path = plan_next(path)) {
		/* "name/" is known to be a directory, if it is there at all. */
		bool is_dir = path[strlen(path) - 1] == '/';
		int r;

		if (is_dir)
			r = c.base >= 0 ? mask_dir_here(&c, path) : mask_dir(w, &c, path, e);
		else
			r = c.base >= 0 ? mask_file_here(&c, path) : mask_file(w, &c, path, e);
		/* A file cannot be mounted on a directory: move_mount(2) and mount(2) say so in two ways. */
		if (!is_dir && (r == -EINVAL || r == -ENOTDIR))
			r = c.base >= 0 ? mask_dir_here(&c, path) : mask_dir(w, &c, path, e);
		/* What is not there needs no mask. */
		if (r < 0 && r != -ENOENT)
			return err_num(e, STEP_MASK, path, r);
		if (c.first_null == path)
			TRY(null_seal(c.base, path, e));
	}
	return 0;
}

static int readonly_one(struct walk *w, int base, const char *path, struct nook_error *e)
{
	int at = base >= 0 ? -EBADF : inroot_open_raw(w->root, path, O_PATH | O_CLOEXEC, 0);
	int mnt;
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;

	if (base < 0 && at < 0)
		return at == -ENOENT ? 0 : err_num(e, STEP_MASK, path, at);
	mnt = base >= 0 ? open_tree(base, path, flags) : open_tree(at, "", flags | AT_EMPTY_PATH);
	if (mnt < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_MASK, path);
	TRY(set_attr(mnt, MOUNT_ATTR_RDONLY, 0, 0, AT_RECURSIVE, path, e));
	if (base >= 0 ? move_mount(mnt, "", base, path, MOVE_MOUNT_F_EMPTY_PATH) < 0
		      : move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, STEP_MASK, path);
	return 0;
}

/* A bind has the attributes of the mount that it is a part of: while the whole is read-only, each path is bound on
 * itself. */
static int readonly_bare(struct walk *w, int base, const struct step *s, const char *path, struct nook_error *e)
{
	const char *object = path;

	TRY(set_attr(base, MOUNT_ATTR_RDONLY, 0, 0, 0, object, e));
	if (walk_chdir(w, base) < 0)
		return err_sys(e, STEP_MASK, object);
	for (uint32_t i = 0; i < s->mask.paths.n; i++, path = plan_next(path))
		if (mount(path, path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			return err_sys(e, STEP_MASK, path);
	return set_attr(base, 0, MOUNT_ATTR_RDONLY, 0, 0, object, e);
}

int apply_readonly(struct walk *w, const struct step *s, struct nook_error *e)
{
	int base = base_of(w, walk_str(w, s->mask.base));
	const char *path = plan_at(w->plan, s->mask.paths.at);

	if (base >= 0 && s->flags & READONLY_BARE)
		return readonly_bare(w, base, s, path, e);
	for (uint32_t i = 0; i < s->mask.paths.n; i++, path = plan_next(path))
		TRY(readonly_one(w, base, path, e));
	return 0;
}
