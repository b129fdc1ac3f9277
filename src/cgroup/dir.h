/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the functions that work on existing groups share: names, opening, small reads without allocation. */
#pragma once

#include "cgroup/cgroup.h"

/* The part of a group's name behind "CONTROLLERS:", or NULL for an absolute directory. */
const char *cgroup_unmounted_path(const char *path);
/* The top of the hierarchy that "CONTROLLERS:/PATH" names, mounted and attached nowhere: an O_PATH descriptor that keeps
 * it alive. */
int cgroup_mount_unattached(const char *path, struct nook_error *e);
/* Reads a small file of the group into BUF (terminated): its length or -errno, nothing recorded. */
ssize_t cgroup_read(int dir, const char *file, char *buf, size_t size);
bool cgroup_dir_is_v2(int dir);
