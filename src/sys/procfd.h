/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc through a descriptor that is known to be procfs, so that a label or a sysctl cannot be written to something
 * that was mounted or linked in its place.  Nothing allocates.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <sys/types.h>

/* The procfs at /proc, checked to be the root of a real one. */
int procfd_open(struct nook_error *e);
/* A procfs of our own (of the caller's pid namespace), mounted nowhere, so that nobody can have put anything over parts
 * of it; where the kernel denies us one (no CAP_SYS_ADMIN, or a masked /proc in a user namespace), as procfd_open(). */
int procfd_open_private(struct nook_error *e);
/* 0, or -EXDEV when FD is not on procfs. */
int procfd_check(int fd);

/* Opens PROC/NAME ("self/attr/exec", "sys/net/..."): stays below PROC, crosses into no other mount, follows no magic
 * link.  A descriptor, or -errno recorded as STEP. */
int procfd_path(int proc, const char *name, int flags, enum step_id step, struct nook_error *e);
/* One write(2) of TEXT to PROC/NAME. */
int procfd_write(int proc, const char *name, const char *text, enum step_id step, struct nook_error *e);
