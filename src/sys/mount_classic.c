/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/mount_classic.h"

#include "sys/mountapi.h"

int mount_classic(const char *fstype, const char *target, const char *options, uint64_t attr)
{
	auto_close int mnt = -EBADF;
	int r;

	if (mount("nook", target, fstype, 0, options) < 0)
		return -errno;
	mnt = open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	r = mnt < 0 ? -errno : 0;
	if (umount2(target, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	if (r == 0 && attr)
		r = mount_attrs(mnt, 0, attr, 0, 0, -1);
	return r < 0 ? r : take_fd(&mnt);
}
