/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts of a process, from /proc/PID/mountinfo, and what a left-over root has mounted below it. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

struct mount_entry {
	const char *root;   /* the part of the file system that is shown: "/" or a bind mount's directory */
	const char *target; /* as the process sees it */
	const char *options, *fstype, *source, *super_options;
	const char *propagation; /* "shared:1 master:2", "" */
};

/* PROC is a descriptor of a directory like /proc (or AT_FDCWD with a full NAME); NAME is "PID/mountinfo". */
int mounts_read(int proc, const char *name, struct arena *a, struct mount_entry **ret, size_t *ret_n, struct nook_error *e);
/* Removes PATH and all below it, with what is mounted there: the mounts are let go of, never entered.  Absent is fine. */
int mounts_tree_remove(const char *path, struct nook_error *e);
