/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File systems and binds, with the new mount API: detached, complete, then attached to a descriptor below the root. */
#include "launch/apply_mount.h"

#include "sys/fsimage.h"
#include "sys/inroot.h"
#include "sys/opentree.h"
#include "sys/userns.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int fs_refused(int fs, enum step_id step, const char *object, struct nook_error *e)
{
	int errnum = errno;
	char words[NOOK_DETAIL_MAX];
	ssize_t n = read(fs, words, sizeof(words) - 1);
	int r = err_num(e, step, object, errnum);

	/* "e proc: Unknown parameter 'x'": the letter is the message's level. */
	if (n > 2 && words[1] == ' ') {
		words[n - (words[n - 1] == '\n')] = 0;
		err_detail(e, words + 2);
	}
	return r;
}

int fs_make(const struct walk *w, const struct step *s, const char *fstype, struct nook_error *e)
{
	int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	const char *object = walk_str(w, s->object);
	const char *key = plan_at(w->plan, s->mount.params.at);
	unsigned attr = (unsigned)(s->mount.attr_set | s->mount.rec_attr_set);
	int mnt;

	if (fs < 0) {
		int r = err_sys(e, (enum step_id)step_kinds[s->kind].error, object);

		if (r == -ENODEV)
			err_detail(e, "the kernel does not know this type of file system");
		return r;
	}
	if (s->mount.source.at && fsconfig(fs, FSCONFIG_SET_STRING, "source", walk_str(w, s->mount.source), 0) < 0)
		return fs_refused(fs, step_kinds[s->kind].error, object, e);
	for (uint32_t i = 0; i < s->mount.params.n; i += 2) {
		const char *value = plan_next(key);
		int r = *value ? fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);

		if (r < 0)
			return fs_refused(fs, step_kinds[s->kind].error, object, e);
		key = plan_next(value);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_refused(fs, step_kinds[s->kind].error, object, e);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	if (mnt < 0)
		return fs_refused(fs, step_kinds[s->kind].error, object, e);
	if (s->stage == STAGE_PREPARE)
		(void)close(fs); /* the parent stays; the child is about to exec */
	return mnt;
}

int attach_to(int mnt, int target, enum step_id step, const char *object, struct nook_error *e)
{
	if (move_mount(mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, step, object);
	return 0;
}

int set_attr(int mnt, uint64_t set, uint64_t clear, uint64_t propagation, unsigned flags, const char *object,
	struct nook_error *e)
{
	struct mount_attr a = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	/* The access time words are one field of several bits: whoever sets one clears the field. */
	if ((set | clear) & MOUNT_ATTR__ATIME)
		a.attr_clr |= MOUNT_ATTR__ATIME;
	if (mount_setattr(mnt, "", AT_EMPTY_PATH | flags, &a, sizeof(a)) < 0)
		return err_sys(e, STEP_ATTR, object);
	return 0;
}

/* A descriptor of the caller's.  Its mount is not one of a new mount namespace; the same path leads to the copy that is, and
 * only if that is the very same file. */
static int open_held(const struct walk *w, const struct step *s, unsigned flags)
{
	int held = walk_slot(w, s->mount.upper_slot), fd = open_tree(held, "", flags | AT_EMPTY_PATH);
	char link[FD_PATH_SIZE], path[PATH_MAX];
	struct stat is, was;
	ssize_t n;

	if (fd >= 0 || errno != EINVAL)
		return fd;
	fd_path(link, held);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -1;
	path[n] = 0;
	fd = open_tree(AT_FDCWD, path, flags);
	if (fd < 0 || fstat(fd, &is) < 0 || fstat(held, &was) < 0)
		return fd;
	if (is.st_dev == was.st_dev && is.st_ino == was.st_ino)
		return fd;
	(void)close(fd);
	errno = ESTALE;
	return -1;
}

int apply_open_tree(struct walk *w, const struct step *s, struct nook_error *e)
{
	const struct mount_attr attr = {.attr_set = s->mount.rec_attr_set, .propagation = s->mount.propagation & ~(uint64_t)MS_REC};
	const char *source = walk_str(w, s->mount.source);
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	bool has_attr = attr.attr_set || attr.propagation;
	int fd;

	if (s->flags & PATH_RECURSIVE)
		flags |= AT_RECURSIVE;
	if (s->flags & PATH_NOFOLLOW)
		flags |= AT_SYMLINK_NOFOLLOW;
	if (has_attr && (fd = opentree_attr(AT_FDCWD, source, flags, &attr)) >= 0) {
		w->slots[s->slot] = fd;
		return 0;
	}
	if (s->flags & PATH_HELD)
		fd = open_held(w, s, flags);
	else
		fd = open_tree(AT_FDCWD, source, flags);
	if (fd < 0 && errno == ENOENT && (s->flags & PATH_OPTIONAL))
		return 0;
	if (fd < 0 && errno == EINVAL && !(s->flags & PATH_RECURSIVE))
		return err_why(e, STEP_SOURCE, source, EINVAL, "other file systems are mounted below it, and only with them can it be shown");
	if (fd < 0)
		return err_sys(e, STEP_SOURCE, walk_str(w, s->object));
	w->slots[s->slot] = fd;
	return has_attr ? set_attr(fd, attr.attr_set, 0, attr.propagation, flags & AT_RECURSIVE, walk_str(w, s->object), e) : 0;
}

int apply_disk(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->mount.source), *fstype = walk_str(w, s->mount.fstype);
	enum fsimage_mode mode = s->mount.sb_flags & MS_RDONLY ? FSIMAGE_READ_ONLY : FSIMAGE_WRITABLE;
	auto_close int file = TRY(fsimage_open(path, mode, e));
	struct fsimage image;

	/* Looked at again: it may have been another file when the plan was made. */
	TRY(fsimage_probe(file, path, &image, e));
	if (strcmp(fsimage_names[image.type], fstype) != 0)
		return err_why(e, STEP_DISK, path, ESTALE, "it has just become another file system");
	w->slots[s->slot] = TRY(fsimage_mount(file, image.type, mode, (unsigned)s->mount.attr_set, path, e));
	return 0;
}

int apply_idmap_mount(struct walk *w, const struct step *s, struct nook_error *e)
{
	struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP};
	int mnt = walk_slot(w, s->slot);
	const char *object = walk_str(w, s->object);
	auto_close int own = -EBADF;

	if (mnt < 0)
		return 0;
	if (s->idmap.uid_map.at)
		own = TRY(userns_make(walk_str(w, s->idmap.uid_map), walk_str(w, s->idmap.gid_map), e));
	else if (w->child_userns < 0)
		w->child_userns = openat(TRY(walk_child_proc(w, e)), "ns/user", O_RDONLY | O_CLOEXEC);
	if (own < 0 && w->child_userns < 0)
		return err_sys(e, STEP_ATTR, "ns/user");
	a.userns_fd = (uint64_t)(own >= 0 ? own : w->child_userns);
	if (mount_setattr(mnt, "", AT_EMPTY_PATH | (s->flags & PATH_RECURSIVE ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0) {
		int r = err_sys(e, STEP_ATTR, object);

		if (r == -EINVAL)
			err_detail(e, "its file system does not support idmapped mounts");
		return r;
	}
	return 0;
}

int apply_propagation(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* Slave first: what the host mounts later may still arrive, nothing made here gets out. */
	if (mount(NULL, "/", NULL, s->mount.propagation, NULL) < 0)
		return err_sys(e, STEP_MOUNT, "/");
	return 0;
}

static bool is_magic(int fd, uint32_t magic)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == magic;
}

/* Remembers file systems that later steps work in. */
static int remember(struct walk *w, const struct step *s, int mnt, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target), *fstype = walk_str(w, s->mount.fstype);

	if (!strcmp(target, "/proc") && !strcmp(fstype, "proc")) {
		if (s->kind == DO_BIND && !is_magic(mnt, PROC_SUPER_MAGIC))
			return err_num(e, STEP_PROC, target, EXDEV);
		w->proc = mnt;
	} else if (!strcmp(target, "/sys") && !strcmp(fstype, "sysfs")) {
		w->sys = mnt;
	} else if (!strcmp(fstype, "devpts") && w->pts < 0) {
		w->pts = mnt;
	}
	if (s->flags & PATH_FRESH && w->n_places < sizeof(w->places) / sizeof(w->places[0])) {
		w->places[w->n_places].path = target;
		w->places[w->n_places++].fd = mnt;
	}
	return 0;
}

/* The place that TARGET lies in, and the rest of the way. */
static int place_of(const struct walk *w, const char *target, const char **ret_rest)
{
	size_t longest = 0;
	int fd = -EBADF;

	for (size_t i = 0; i < w->n_places; i++) {
		size_t len = strlen(w->places[i].path);

		if (len >= longest && !strncmp(target, w->places[i].path, len) && target[len] == '/') {
			longest = len;
			fd = w->places[i].fd;
			*ret_rest = target + len + 1;
		}
	}
	return fd;
}

/* In a fresh file system there is no planted link, so the name is enough. */
static int attach_trusted(const struct walk *w, int mnt, const char *target, struct nook_error *e)
{
	const char *rest = "";
	int place = place_of(w, target, &rest);

	if (place < 0)
		return 1;
	if (move_mount(mnt, "", place, rest, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT || strchr(rest, '/'))
		return err_sys(e, STEP_MOUNT, target);
	if (mkdirat(place, rest, 0755) < 0 || move_mount(mnt, "", place, rest, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, STEP_MOUNT, target);
	return 0;
}

static int attach(struct walk *w, const struct step *s, int mnt, bool is_dir, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target);
	int at = -EBADF;

	/* What covers the root is the root from now on. */
	if (is_dir && !target[strspn(target, "/")]) {
		TRY(attach_to(mnt, w->root, STEP_MOUNT, target, e));
		w->root = mnt;
		return 0;
	}
	if (s->flags & PATH_TRUSTED && TRY(attach_trusted(w, mnt, target, e)) == 0)
		return 0;
	if (s->flags & PATH_NEW && is_dir && !(s->flags & PATH_COPYUP) && mkdirat(w->root, target + 1, 0755) == 0)
		return move_mount(mnt, "", w->root, target + 1, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? err_sys(e, STEP_MOUNT, target) : 0;
	/* "/proc": move_mount(2) follows no link in the last component, and there is no other.  What it refuses is made, or
	 * explained, by the longer way. */
	if (s->flags & PATH_REAL_DIR && is_dir && !(s->flags & PATH_COPYUP) &&
		move_mount(mnt, "", w->root, target + 1, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	if (s->flags & PATH_NOFOLLOW)
		at = inroot_open_raw(w->root, target, O_PATH | O_NOFOLLOW, 0);
	if (at >= 0)
		return attach_to(mnt, at, STEP_MOUNT, target, e);
	if (s->flags & PATH_REAL_DIR)
		at = inroot_real_dir(w->root, target, 0755, e);
	else
		at = is_dir ? inroot_mkdirs(w->root, target, 0755, e) : inroot_mkfile(w->root, target, 0644, e);
	if (at < 0)
		return at;
	if (s->flags & PATH_COPYUP && s->kind != DO_BIND)
		TRY(copy_up(at, mnt, target, e));
	return attach_to(mnt, at, STEP_MOUNT, target, e);
}

int mount_attach(struct walk *w, const struct step *s, int mnt, struct nook_error *e)
{
	return attach(w, s, mnt, true, e);
}

/* mount(2) makes and attaches a file system in one call, where the name of the target is enough.  It does not say what it
 * dislikes, so whatever it refuses is tried, and explained, by the longer way. */
static bool mount_at_once(struct walk *w, const struct step *s)
{
	const char *fstype = walk_str(w, s->mount.fstype), *source = walk_str(w, s->mount.source), *rest = "";
	int place = s->flags & MOUNT_AT_ONCE ? place_of(w, walk_str(w, s->mount.target), &rest) : -EBADF;

	if (s->flags & MOUNT_AT_ONCE && s->flags & PATH_NEW) {
		rest = walk_str(w, s->mount.target) + 1;
		place = mkdirat(w->root, rest, 0755) == 0 ? w->root : -EBADF;
	}
	if (place < 0 || walk_chdir(w, place) < 0)
		return false;
	/* MOUNT_ATTR_NOSUID, NODEV and NOEXEC are the same bits as MS_*. */
	for (;;) {
		if (mount(*source ? source : fstype, rest, fstype, s->mount.attr_set, walk_str(w, s->mount.data)) == 0)
			return true;
		if (errno != ENOENT || mkdirat(place, rest, 0755) < 0)
			return false;
	}
}

int apply_mount(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target);
	int mnt;

	if (mount_at_once(w, s))
		return 0;
	mnt = TRY(fs_make(w, s, walk_str(w, s->mount.fstype), e));
	TRY(attach(w, s, mnt, true, e));
	if (s->mount.propagation)
		TRY(set_attr(mnt, 0, 0, s->mount.propagation & ~(uint64_t)MS_REC,
			s->mount.propagation & MS_REC ? AT_RECURSIVE : 0, target, e));
	return remember(w, s, mnt, e);
}

static int copy_up_target(struct walk *w, const struct step *s, int mnt, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target);
	int at = TRY(inroot_mkdirs(w->root, target, 0755, e));
	int r = copy_up(at, mnt, target, e);

	(void)close(at);
	return r;
}

int apply_bind(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target);
	int mnt = walk_slot(w, s->slot);
	uint64_t recursive = s->mount.propagation & MS_REC ? s->mount.propagation & ~(uint64_t)MS_REC : 0;
	uint64_t alone = recursive ? 0 : s->mount.propagation;
	bool is_dir = s->flags & PATH_IS_DIR;
	struct stat st;

	if (mnt < 0)
		return 0; /* an optional source that is not there */
	if (!is_dir) {
		if (fstat(mnt, &st) < 0)
			return err_sys(e, STEP_MOUNT, target);
		is_dir = S_ISDIR(st.st_mode);
	}
	/* Filled while it can still be written. */
	if (s->flags & PATH_COPYUP)
		TRY(copy_up_target(w, s, mnt, e));
	/* Attributes before attaching, so that the mount is never seen without them. */
	if (s->mount.rec_attr_set | s->mount.rec_attr_clear | recursive)
		TRY(set_attr(mnt, s->mount.rec_attr_set, s->mount.rec_attr_clear, recursive, AT_RECURSIVE, target, e));
	if (s->mount.attr_set | s->mount.attr_clear | alone)
		TRY(set_attr(mnt, s->mount.attr_set, s->mount.attr_clear, alone, 0, target, e));
	TRY(attach(w, s, mnt, is_dir, e));
	return remember(w, s, mnt, e);
}

/* The directory is bound by name; the last one of a view then sets the attributes of them all and of the tmpfs that they
 * are in: in a new user namespace clones of shared mounts are slaves until then. */
static int show_trusted(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->mount.target), *rest = "", *slash;
	struct mount_attr a = {.attr_set = s->mount.rec_attr_set, .propagation = MS_PRIVATE};
	int place = place_of(w, target, &rest);
	char view[64];

	slash = strrchr(rest, '/');
	if (place < 0 || !slash || slash - rest >= (ssize_t)sizeof(view))
		return 1;
	if (mkdirat(place, rest, 0755) < 0 || walk_chdir(w, place) < 0 ||
		mount(walk_str(w, s->mount.source), rest, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, STEP_MOUNT, target);
	if (!(s->flags & SHOW_LAST))
		return 0;
	memcpy(view, rest, (size_t)(slash - rest));
	view[slash - rest] = 0;
	return mount_setattr(place, view, AT_RECURSIVE, &a, sizeof(a)) < 0 ? err_sys(e, STEP_ATTR, target) : 0;
}

int apply_show(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *source = walk_str(w, s->mount.source);
	int mnt;

	if (s->flags & PATH_TRUSTED && TRY(show_trusted(w, s, e)) == 0)
		return 0;
	mnt = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (mnt < 0)
		return err_sys(e, STEP_SOURCE, source);
	TRY(set_attr(mnt, s->mount.rec_attr_set, 0, MS_PRIVATE, 0, walk_str(w, s->object), e));
	return attach(w, s, mnt, true, e);
}

int apply_copy_link(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *source = walk_str(w, s->mount.source), *target = walk_str(w, s->mount.target);
	char text[PATH_MAX], last[NAME_MAX + 1];
	ssize_t n = readlink(source, text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(e, STEP_SOURCE, source);
	text[n] = 0;
	if (s->flags & PATH_NEW)
		return symlinkat(text, w->root, target + 1) < 0 && errno != EEXIST ? err_sys(e, STEP_TARGET, target) : 0;
	int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));

	if (symlinkat(text, parent, last) < 0 && errno != EEXIST)
		return err_sys(e, STEP_TARGET, target);
	return 0;
}
