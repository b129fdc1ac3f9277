/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The new mount API.  The calls themselves (open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr) are
 * libc's; here is what it lacks.  Nothing allocates: all of it may run in the child of clone().
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef FSCONFIG_CMD_CREATE_EXCL
#define FSCONFIG_CMD_CREATE_EXCL 8 /* Linux 6.6: never share an existing superblock */
#endif

/* err_sys() for a failed call on the context FS, with the kernel's own explanation as detail. */
int err_fs(struct nook_error *e, enum step_id step, const char *object, int fs);
/* fsconfig(2) of N key, value pairs; an empty or NULL value makes it a flag.  PARAMS is key, value, key, value ... */
int fs_params(int fs, const char *const *params, size_t n, enum step_id step, const char *object, struct nook_error *e);

/* A new instance of a file system that needs no parameters, attached nowhere: a mount descriptor. */
int fs_mount_new(const char *fstype, const char *const *params, size_t n, unsigned attr, enum step_id step,
                 const char *object, struct nook_error *e);

/* mount_setattr(2) on what FD refers to; FLAGS may be AT_RECURSIVE. */
static inline int mount_attrs(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation, int userns)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
		.userns_fd = userns >= 0 ? (uint64_t)userns : 0,
	};

	return mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* Attaches the detached mount MNT on top of what AT refers to; both are descriptors, no name is looked up. */
static inline int mount_attach(int mnt, int at)
{
	return move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

/* A detached copy of what FD refers to; FLAGS may be AT_RECURSIVE: a mount descriptor or -errno. */
static inline int mount_copy(int fd, unsigned flags)
{
	int copy = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | flags);

	return copy < 0 ? -errno : copy;
}

/* Makes ROOT (a descriptor of a mount point) the root of this mount namespace and lets the old one go.
 * The working directory is then the new root. */
int mount_pivot(int root, struct nook_error *e);
