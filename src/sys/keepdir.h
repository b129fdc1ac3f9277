/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory that keeps the changes of an overlay until somebody applies or discards them:
 *
 *   original  the path of the directory that is changed, and what it was: "PATH\nINODE BIRTH\n"
 *   lock      held while a box runs on it, or while the changes are applied
 *   upper     the changes, as overlayfs writes them: made by a command that nobody trusts
 *   work      overlayfs's own
 *
 * It belongs to one user and nobody else gets in: what a command made may carry set-id bits.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* Makes it for ORIGINAL, or finds that it is that one's: the descriptor that holds its lock. */
int keepdir_make(const char *path, const char *original, struct nook_error *e);

struct keepdir {
	int dir, lock;
	int upper;                   /* -EBADF: nothing has been changed */
	const char *where, *identity; /* of the directory that is changed, from the arena */
};
#define KEEPDIR_INIT {-EBADF, -EBADF, -EBADF, NULL, NULL}
/* Opens and locks what keepdir_make() made; -EBUSY while a box runs on it. */
int keepdir_open(const char *path, struct arena *a, struct keepdir *ret, struct nook_error *e);
/* The directory that is changed, reached without a symbolic link, and no other of the same path. */
int keepdir_original(const struct keepdir *k, struct nook_error *e);
void keepdir_done(struct keepdir *k);
