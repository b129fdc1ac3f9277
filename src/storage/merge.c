/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/merge.h"

#include "sys/mountapi.h"

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
			return err_fs(e, STEP_MOUNT, i->layers[n], fs);
	/* Layers carry the marks of both kinds of overlays where root unpacked them, and these otherwise. */
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_fs(e, STEP_MOUNT, "overlay", fs);
	mnt = fsmount(
		fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
	return mnt < 0 ? err_fs(e, STEP_MOUNT, "overlay", fs) : mnt;
}
