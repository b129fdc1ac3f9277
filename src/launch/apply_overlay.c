/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers shown as one tree: the root of a container, or a directory in it.  A scratch tmpfs holds the layers and, without a
 * kept upper layer, the changes; pivot_root(2) buries it.
 */
#include "launch/apply_mount.h"

#include "sys/keepdir.h"
#include "sys/mount_classic.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Attaches a detached mount to NAME in the scratch tmpfs: overlayfs wants layers that are attached somewhere. */
static int place_layer(int scratch, const char *name, int mnt, const char *object, struct nook_error *e)
{
	if (mkdirat(scratch, name, 0755) < 0)
		return err_sys(e, STEP_ROOT, object);
	if (move_mount(mnt, "", scratch, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, STEP_ROOT, object);
	return 0;
}

/* fsconfig(2) takes values of at most 255 bytes, so layers have the shortest of names: "0:1:2". */
enum { LOWERDIR_MAX = 256, NUMBER_MAX = 11, LOWERS_MAX = 256, OPTIONS_MAX = 4096 };

static char *put_number(char *to, uint32_t n)
{
	char digits[10];
	int count = 0;

	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10));
	while (count)
		*to++ = digits[--count];
	*to = 0;
	return to;
}

void fd_path(char path[FD_PATH_SIZE], int fd)
{
	(void)put_number(stpcpy(path, "/proc/self/fd/"), (uint32_t)fd);
}

static int mkdir_in(int at, const char *name, mode_t mode, const char *object, struct nook_error *e)
{
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return err_sys(e, STEP_ROOT, object);
	return 0;
}

/* Puts the layers in place under their numbers; returns a directory descriptor that holds upper and work. */
static int layers_place(struct walk *w, const struct step *s, int scratch, struct nook_error *e)
{
	const int16_t *slots = plan_at(w->plan, s->mount.lowers.at);
	const char *object = walk_str(w, s->object);
	int keep = walk_slot(w, s->mount.upper_slot);
	bool own = s->mount.upper_slot == SLOT_NONE && !s->mount.links.n && !(s->flags & OVERLAY_READONLY);

	for (uint32_t i = 0; i < s->mount.lowers.n; i++) {
		char name[NUMBER_MAX];

		(void)put_number(name, i);
		TRY(place_layer(scratch, name, walk_slot(w, slots[i]), object, e));
	}
	if (keep >= 0)
		TRY(place_layer(scratch, "keep", keep, object, e));
	else
		keep = scratch;
	if (own || keep != scratch) {
		TRY(mkdir_in(keep, "upper", 0755, object, e));
		TRY(mkdir_in(keep, "work", 0700, object, e));
	}
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
int scratch_attach(int scratch, struct nook_error *e)
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

static int set_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -1 : 0;
}

/* "0:1:2", the topmost first; returns its end. */
static char *put_lowers(char *to, uint32_t n)
{
	*to = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			*to++ = ':';
		to = put_number(to, i);
	}
	return to;
}

/* The layers: in one value where they fit, which every kernel takes, else one by one (since Linux 6.5). */
static int set_lowers(int fs, uint32_t n)
{
	char all[LOWERS_MAX * (NUMBER_MAX + 1)];

	if (n <= LOWERS_MAX && put_lowers(all, n) - all < LOWERDIR_MAX)
		return set_string(fs, "lowerdir", all);
	for (uint32_t i = 0; i < n; i++) {
		char name[NUMBER_MAX];

		(void)put_number(name, i);
		if (set_string(fs, "lowerdir+", name) < 0)
			return -1;
	}
	return 0;
}

/* Directories that somebody else made for the layer of changes.  They have to stay on one mount, so they are named. */
static int set_given(int fs, const struct walk *w, const struct step *s, struct nook_error *e)
{
	static const char *const keys[] = {"upperdir", "workdir"};
	const char *path = plan_at(w->plan, s->mount.links.at);

	for (int i = 0; i < 2; i++, path = plan_next(path)) {
		char name[FD_PATH_SIZE];
		/* Kept until the layers are mounted; close-on-exec, as all is. */
		int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return err_sys(e, STEP_SOURCE, path);
		fd_path(name, fd);
		if (set_string(fs, keys[i], name) < 0)
			return fs_refused(fs, STEP_MOUNT, path, e);
	}
	return 0;
}

/* Before Linux 6.5 many layers fit into mount(2)'s options alone.  -EINVAL: this is no such case, or the kernel does not want
 * it this way either. */
static int make_classic(const struct walk *w, const struct step *s, bool kept, bool given)
{
	char options[OPTIONS_MAX], *end = stpcpy(options, "lowerdir=");
	const char *label = walk_str(w, s->mount.source);

	if (given || s->mount.lowers.n > LOWERS_MAX || strlen(label) > OPTIONS_MAX / 4)
		return -EINVAL;
	end = put_lowers(end, s->mount.lowers.n);
	if (end - options - (ptrdiff_t)strlen("lowerdir=") < LOWERDIR_MAX)
		return -EINVAL;
	if (!(s->flags & OVERLAY_READONLY))
		end = stpcpy(end, kept ? ",upperdir=keep/upper,workdir=keep/work" : ",upperdir=upper,workdir=work,volatile");
	if (s->flags & OVERLAY_USERXATTR)
		end = stpcpy(end, ",userxattr");
	if (label[0])
		(void)stpcpy(stpcpy(stpcpy(end, ",context=\""), label), "\"");
	if (mkdir("merged", 0700) < 0 && errno != EEXIST)
		return -EINVAL;
	return mount_classic("overlay", "merged", options, s->mount.rec_attr_set);
}

/* errno is fsconfig(2)'s. */
static int classic_or_refused(const struct walk *w, const struct step *s, int fs, struct nook_error *e)
{
	const int why = errno;
	int mnt = why == EINVAL ? make_classic(w, s, walk_slot(w, s->mount.upper_slot) >= 0, s->mount.links.n) : -EINVAL;

	if (mnt >= 0) {
		(void)close(fs);
		return mnt;
	}
	errno = why;
	return fs_refused(fs, step_kinds[s->kind].error, walk_str(w, s->object), e);
}

int overlay_make(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *object = walk_str(w, s->object), *label = walk_str(w, s->mount.source);
	const int16_t *slots = plan_at(w->plan, s->mount.lowers.at);
	enum step_id step = step_kinds[s->kind].error;
	int scratch = TRY(fs_make(w, s, "tmpfs", e));
	bool kept = walk_slot(w, s->mount.upper_slot) >= 0, given = s->mount.links.n, none = s->flags & OVERLAY_READONLY;
	int fs, mnt, home;

	TRY(scratch_attach(scratch, e));
	home = TRY(layers_place(w, s, scratch, e));
	if (!given && !none)
		TRY(upper_like_lower(home, walk_slot(w, slots[0]), object, e));
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || walk_chdir(w, scratch) < 0)
		return err_sys(e, step, "overlay");
	if (set_string(fs, "source", "nook") < 0)
		return fs_refused(fs, step, object, e);
	if (set_lowers(fs, s->mount.lowers.n) < 0)
		return classic_or_refused(w, s, fs, e);
	if (given)
		TRY(set_given(fs, w, s, e));
	else if (!none && (set_string(fs, "upperdir", kept ? "keep/upper" : "upper") < 0 ||
				  set_string(fs, "workdir", kept ? "keep/work" : "work") < 0))
		return fs_refused(fs, step, object, e);
	if (((s->flags & OVERLAY_USERXATTR) && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
		(!kept && !given && !none && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0) ||
		(label[0] && set_string(fs, "context", label) < 0) || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return classic_or_refused(w, s, fs, e);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)s->mount.rec_attr_set);
	if (mnt < 0)
		return fs_refused(fs, step, object, e);
	(void)close(fs);
	return mnt;
}

int apply_overlay(struct walk *w, const struct step *s, struct nook_error *e)
{
	return mount_attach(w, s, TRY(overlay_make(w, s, e)), e);
}

int apply_keep(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (w->n_held == sizeof(w->held) / sizeof(w->held[0]))
		return err_why(e, STEP_LOCK, walk_str(w, s->object), E2BIG, "too many directories keep changes");
	w->held[w->n_held] = TRY(keepdir_make(walk_str(w, s->pair.key), walk_str(w, s->pair.value), e));
	w->n_held++;
	return 0;
}
