/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/merge.h"

#include "base/buf.h"
#include "base/fd.h"
#include "sys/mount_classic.h"
#include "sys/mountapi.h"

#include <sched.h>
#include <stdio.h>

enum { ATTRIBUTES = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID, VALUE_MAX = 255, OPTIONS_MAX = 4095 };

/* ---- before Linux 6.5: all layers in one value -------------------------------------------------------------------------------- */

static int own_mounts(struct nook_error *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "mount");
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? err_sys(e, STEP_MOUNT, "/") : 0;
}

static int mount_short(const char *lowers, struct nook_error *e)
{
	auto_close int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0)
		return err_sys(e, STEP_MOUNT, "overlay");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "nook", 0) < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lowers, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_fs(e, STEP_MOUNT, "overlay", fs);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, ATTRIBUTES);
	return mnt < 0 ? err_fs(e, STEP_MOUNT, "overlay", fs) : mnt;
}

static int mount_long(const char *lowers, struct nook_error *e)
{
	static const char *const places[] = {"/mnt", "/media", "/srv", "/tmp"};
	AUTO_VALUE(buf_done) struct buf options = {0};
	int mnt = -ENOENT;

	buf_addf(&options, "lowerdir=%s,userxattr", lowers);
	if (options.len > OPTIONS_MAX)
		return err_num(e, STEP_MOUNT, "overlay", E2BIG);
	for (size_t i = 0; (mnt == -ENOENT || mnt == -ENOTDIR) && i < sizeof(places) / sizeof(places[0]); i++)
		mnt = mount_classic("overlay", places[i], buf_text(&options), ATTRIBUTES);
	return mnt < 0 ? err_num(e, STEP_MOUNT, "overlay", mnt) : mnt;
}

/* Each layer by the number of a descriptor, seen from where these have names: nothing is shorter.  mount(2) needs a place for a
 * moment, which must be this process's own. */
static int merge_by_numbers(const struct image *image, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf lowers = {0};
	auto_free int *fds = xcalloc(image->n_layers, sizeof(*fds));
	auto_close int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t n = 0;
	/* First: what was opened in another mount namespace is no layer in this one. */
	int r = own_mounts(e);

	for (; r == 0 && n < image->n_layers; n++) {
		fds[n] = open(image->layers[n], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[n] < 0)
			r = err_sys(e, STEP_IMAGE, image->layers[n]);
		buf_addf(&lowers, "%s%d", n ? ":" : "", fds[n]);
	}
	if (r == 0 && chdir("/proc/self/fd") < 0)
		r = err_sys(e, STEP_MOUNT, "/proc/self/fd");
	if (r == 0)
		r = lowers.len <= VALUE_MAX ? mount_short(buf_text(&lowers), e) : mount_long(buf_text(&lowers), e);
	if (here >= 0)
		(void)!fchdir(here);
	while (n)
		close_fd(&fds[--n]);
	return r;
}

/* ---- since ------------------------------------------------------------------------------------------------------------------- */

int image_merge(const struct image *i, struct nook_error *e)
{
	auto_close int fs = -EBADF;
	int mnt;

	if (i->n_layers == 1) {
		mnt = open(i->layers[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
		return mnt < 0 ? err_sys(e, STEP_IMAGE, i->layers[0]) : mnt;
	}
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "nook", 0) < 0)
		return err_sys(e, STEP_MOUNT, "overlay");
	for (size_t n = 0; n < i->n_layers; n++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", i->layers[n], 0) < 0)
			return merge_by_numbers(i, e);
	/* Layers carry the marks of both kinds of overlays where root unpacked them, and these otherwise. */
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return err_fs(e, STEP_MOUNT, "overlay", fs);
	/* An older kernel learns here what it was not told by the word "lowerdir". */
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == EINVAL ? merge_by_numbers(i, e) : err_fs(e, STEP_MOUNT, "overlay", fs);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, ATTRIBUTES);
	return mnt < 0 ? err_fs(e, STEP_MOUNT, "overlay", fs) : mnt;
}

int merge_become_mounter(struct nook_error *e)
{
	const unsigned uid = geteuid(), gid = getegid();
	char line[48];

	if (uid == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "user");
	(void)snprintf(line, sizeof(line), "0 %u 1", uid);
	TRY(file_write(AT_FDCWD, "/proc/self/setgroups", "deny", STEP_IDMAP, e));
	TRY(file_write(AT_FDCWD, "/proc/self/uid_map", line, STEP_IDMAP, e));
	(void)snprintf(line, sizeof(line), "0 %u 1", gid);
	return file_write(AT_FDCWD, "/proc/self/gid_map", line, STEP_IDMAP, e);
}
