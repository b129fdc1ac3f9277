/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps that mount share.  No allocation. */
#pragma once

#include "launch/walk.h"

/* An error with the kernel's own explanation from a file system context. */
int fs_refused(int fs, enum step_id step, const char *object, struct nook_error *e);
/* A new detached mount of FSTYPE with the step's parameters and attributes. */
int fs_make(const struct walk *w, const struct step *s, const char *fstype, struct nook_error *e);
/* Attaches the detached mount MNT to the directory or file that the descriptor TARGET is. */
int attach_to(int mnt, int target, enum step_id step, const char *object, struct nook_error *e);
/* The tmpfs in which things are made that are shown elsewhere: attached where only this mount namespace sees it. */
int scratch_attach(int scratch, struct nook_error *e);
/* "/proc/self/fd/FD": valid until pivot_root(2). */
enum { FD_PATH_SIZE = 32 };
void fd_path(char path[FD_PATH_SIZE], int fd);
/* Attaches MNT, which is a directory, to the step's target. */
int mount_attach(struct walk *w, const struct step *s, int mnt, struct nook_error *e);
/* The layers of an overlay, mounted but not attached. */
int overlay_make(struct walk *w, const struct step *s, struct nook_error *e);
/* mount_setattr(2) on a descriptor. */
int set_attr(int mnt, uint64_t set, uint64_t clear, uint64_t propagation, unsigned flags, const char *object,
             struct nook_error *e);
/* Copies what is below the directory FROM into the new file system TO (tmpcopyup), with owner, mode and links. */
int copy_up(int from, int to, const char *target, struct nook_error *e);
