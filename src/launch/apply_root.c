/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's root.  It is attached on top of "/" of the new mount namespace, where it is in nobody's way: paths that
 * start at the process's root still see the host's tree beneath, until pivot_root(2) swaps the two.
 */
#include "launch/apply_mount.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

/* Attaches a detached mount to NAME in the scratch tmpfs: overlayfs wants layers that are attached somewhere. */
static int place_layer(int scratch, const char *name, int mnt, const char *object, struct nook_error *e)
{
	if (mkdirat(scratch, name, 0755) < 0)
		return err_sys(e, STEP_ROOT, object);
	if (move_mount(mnt, "", scratch, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, STEP_ROOT, object);
	return 0;
}

static int mkdir_in(int at, const char *name, mode_t mode, const char *object, struct nook_error *e)
{
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return err_sys(e, STEP_ROOT, object);
	return 0;
}

/* fsconfig(2) takes values of at most 255 bytes, so layers have the shortest of names: "0:1:2". */
enum { LOWERDIR_MAX = 256 };

static char *put_number(char *to, uint32_t n)
{
	if (n >= 10)
		*to++ = (char)('0' + n / 10);
	*to++ = (char)('0' + n % 10);
	*to = 0;
	return to;
}

/* Puts the layers in place and fills LOWER with "0:1:..."; returns a directory descriptor that holds upper and work. */
static int layers_place(struct walk *w, const struct step *s, int scratch, char *lower, struct nook_error *e)
{
	const int16_t *slots = plan_at(w->plan, s->mount.lowers.at);
	const char *object = walk_str(w, s->object);
	int keep = walk_slot(w, s->mount.upper_slot);

	for (uint32_t i = 0; i < s->mount.lowers.n; i++) {
		char name[4];
		char *start = lower + strlen(lower);

		if (start + sizeof(name) > lower + LOWERDIR_MAX || i > 99)
			return err_num(e, STEP_ROOT, object, E2BIG);
		if (i)
			*start++ = ':';
		(void)put_number(start, i);
		(void)put_number(name, i);
		TRY(place_layer(scratch, name, walk_slot(w, slots[i]), object, e));
	}
	if (keep >= 0)
		TRY(place_layer(scratch, "keep", keep, object, e));
	else
		keep = scratch;
	TRY(mkdir_in(keep, "upper", 0755, object, e));
	TRY(mkdir_in(keep, "work", 0700, object, e));
	return keep;
}

/* The root of a merged tree has the owner and mode of the upper directory: take them from the topmost lower layer. */
static int upper_like_lower(int upper_parent, int lower, const char *object, struct nook_error *e)
{
	struct stat st;

	if (fstat(lower, &st) < 0)
		return err_sys(e, STEP_ROOT, object);
	/* The owner may have no id here (the host's root seen by an ordinary user): then it stays ours. */
	(void)fchownat(upper_parent, "upper", st.st_uid, st.st_gid, 0);
	if (fchmodat(upper_parent, "upper", st.st_mode & 07777, 0) < 0)
		return err_sys(e, STEP_ROOT, object);
	return 0;
}

/* Attaches the scratch tmpfs over a directory of the host's tree, as seen by this mount namespace alone.  Not on "/": there
 * it would lie between the old root and the new one, and the old one could not be let go in one piece. */
static int scratch_attach(int scratch, struct nook_error *e)
{
	static const char *const places[] = {"/mnt", "/media", "/tmp", "/srv"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (move_mount(scratch, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			break;
	}
	return err_sys(e, STEP_ROOT, "scratch tmpfs");
}

int apply_root_overlay(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *object = walk_str(w, s->object);
	const int16_t *slots = plan_at(w->plan, s->mount.lowers.at);
	char lower[LOWERDIR_MAX] = "";
	int scratch = TRY(fs_make(w, s, "tmpfs", e));
	bool kept = walk_slot(w, s->mount.upper_slot) >= 0;
	int fs, mnt, home;

	/* The scratch tmpfs holds the layers and, without a kept upper layer, the changes; pivot_root(2) buries it. */
	TRY(scratch_attach(scratch, e));
	home = TRY(layers_place(w, s, scratch, lower, e));
	TRY(upper_like_lower(home, walk_slot(w, slots[0]), object, e));
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || fchdir(scratch) < 0)
		return err_sys(e, STEP_ROOT, "overlay");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "nook", 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", kept ? "keep/upper" : "upper", 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "workdir", kept ? "keep/work" : "work", 0) < 0 ||
		((s->flags & OVERLAY_USERXATTR) && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
		(!kept && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0) ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_refused(fs, STEP_ROOT, object, e);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)s->mount.rec_attr_set);
	if (mnt < 0)
		return fs_refused(fs, STEP_ROOT, object, e);
	(void)close(fs);
	return root_attach(w, mnt, "/", e);
}

int apply_pivot(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (fchdir(w->root) < 0)
		return err_sys(e, STEP_PIVOT, "/");
	if (s->flags & PIVOT_NONE) {
		if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
			return err_sys(e, STEP_PIVOT, "/");
	} else {
		/* pivot_root(2), "pivot_root(".", ".")": the old root lands on top of the new one and is let go. */
		if (syscall(SYS_pivot_root, ".", ".") < 0)
			return err_sys(e, STEP_PIVOT, "/");
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, STEP_PIVOT, "old root");
	}
	return chdir("/") < 0 ? err_sys(e, STEP_PIVOT, "/") : 0;
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
