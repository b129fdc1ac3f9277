/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories, files, links and modes that somebody asks for one by one, and what the caller has open. */
#include "launch/apply_mount.h"

#include "base/fd.h"
#include "spec/spec.h"
#include "sys/inroot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char scratch_name[] = "data";

static int make_dir(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target);
	char last[NAME_MAX + 1];

	if (!target[strspn(target, "/")])
		return 0;
	auto_close int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));

	if (mkdirat(parent, last, s->make.mode) < 0 && errno != EEXIST)
		return err_sys(e, STEP_TARGET, target);
	auto_close int made = TRY(inroot_open(w->root, target, O_PATH | O_DIRECTORY | O_CLOEXEC, STEP_TARGET, e));

	return 0;
}

static int write_data(struct walk *w, const struct step *s, int fd, struct nook_error *e)
{
	int r = fd_write(fd, plan_at(w->plan, s->make.data.at), s->make.data.n);

	return r < 0 ? err_num(e, STEP_FILE, walk_str(w, s->object), r) : 0;
}

static int make_file(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target);
	char last[NAME_MAX + 1];
	auto_close int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));
	/* The mode is as it was asked for. */
	mode_t before = umask(0);
	auto_close int fd = inroot_open_raw(w->root, target, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, s->make.mode);

	(void)umask(before);
	return fd < 0 ? err_num(e, STEP_FILE, target, fd) : write_data(w, s, fd, e);
}

static int scratch_open(struct walk *w, struct nook_error *e)
{
	int fs, mnt;

	if (w->scratch >= 0)
		return w->scratch;
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, STEP_FILE, "scratch tmpfs");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_sys(e, STEP_FILE, "scratch tmpfs");
	TRY(scratch_attach(mnt, e));
	w->scratch = mnt;
	return mnt;
}

/* A file that has no name but where it is shown. */
static int make_data(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target);
	int scratch = TRY(scratch_open(w, e));
	auto_close int file = openat(scratch, scratch_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, s->make.mode);

	if (file < 0)
		return err_sys(e, STEP_FILE, target);
	TRY(write_data(w, s, file, e));
	auto_close int mnt = open_tree(scratch, scratch_name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mnt < 0)
		return err_sys(e, STEP_FILE, target);
	auto_close int at = TRY(inroot_mkfile(w->root, target, 0444, e));

	if (s->make.readonly)
		TRY(set_attr(mnt, MOUNT_ATTR_RDONLY, 0, 0, 0, target, e));
	TRY(attach_to(mnt, at, STEP_FILE, target, e));
	/* Only now: a file without a name cannot be attached. */
	return unlinkat(scratch, scratch_name, 0) < 0 ? err_sys(e, STEP_FILE, target) : 0;
}

static int make_link(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target), *text = walk_str(w, s->make.text);
	char last[NAME_MAX + 1], have[PATH_MAX];
	auto_close int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));
	ssize_t n;

	if (symlinkat(text, parent, last) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, STEP_TARGET, target);
	n = readlinkat(parent, last, have, sizeof(have));
	if (n >= 0 && (size_t)n == strlen(text) && !memcmp(have, text, (size_t)n))
		return 0;
	return err_why(e, STEP_TARGET, target, EEXIST, "there is something else already");
}

static int make_mode(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target);
	auto_close int fd = TRY(inroot_open(w->root, target, O_PATH | O_CLOEXEC, STEP_TARGET, e));
	char path[FD_PATH_SIZE];

	fd_path(path, fd);
	return chmod(path, s->make.mode) < 0 ? err_sys(e, STEP_TARGET, target) : 0;
}

static int make_readonly(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->make.target);
	auto_close int fd = TRY(inroot_open(w->root, target, O_PATH | O_CLOEXEC, STEP_TARGET, e));

	return set_attr(fd, MOUNT_ATTR_RDONLY, 0, 0, 0, target, e);
}

int apply_make(struct walk *w, const struct step *s, struct nook_error *e)
{
	switch ((enum make_kind)s->make.kind) {
	case MAKE_DIR:
		return make_dir(w, s, e);
	case MAKE_FILE:
		return make_file(w, s, e);
	case MAKE_DATA:
		return make_data(w, s, e);
	case MAKE_LINK:
		return make_link(w, s, e);
	case MAKE_MODE:
		return make_mode(w, s, e);
	case MAKE_READONLY:
		return make_readonly(w, s, e);
	}
	return err_num(e, STEP_TARGET, walk_str(w, s->make.target), EINVAL);
}

/* ---- descriptors ---------------------------------------------------------------------------------------------------- */

int apply_hold(struct walk *w, const struct step *s, struct nook_error *e)
{
	w->slots[s->slot] = fcntl((int)s->value.number, F_DUPFD_CLOEXEC, 3);
	return w->slots[s->slot] < 0 ? err_sys(e, STEP_FDS, walk_str(w, s->object)) : 0;
}

/* Runs in the parent, while the child waits. */
int apply_wait(struct walk *w, const struct step *s, struct nook_error *e)
{
	char byte;
	ssize_t n = fd_read_once((int)s->value.number, &byte, 1);

	return n < 0 ? err_num(e, STEP_WAIT, walk_str(w, s->object), (int)n) : 0;
}

int apply_lock(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->object);
	const struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	auto_close int fd = TRY(inroot_open(w->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, STEP_LOCK, e));
	int r;

	if (fcntl(fd, F_OFD_SETLK, &all) < 0)
		return err_sys(e, STEP_LOCK, path);
	r = wire_send_fd(w->wire, WIRE_HELD, fd);
	return r < 0 ? err_num(e, STEP_LOCK, path, r) : 0;
}
