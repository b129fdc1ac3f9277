/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Landlock: a fence around the file system that needs no rights to build and that no mount moves.  What no rule allows
 * is refused.  Inside, mount(2), umount(2) and pivot_root(2) fail too.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "spec/spec.h"

/* What the running kernel can do: the ABI version, the rights on files, and the scopes, as masks of LANDLOCK_*. */
struct landlock_kernel {
	int abi; /* 0: none */
	int error; /* why that is not known: an errno; 0: it is known */
	uint64_t fs;
	uint64_t scopes;
};

enum landlock_scope {
	LANDLOCK_SCOPE_SOCKETS = 1, /* abstract unix sockets made outside cannot be reached */
	LANDLOCK_SCOPE_SIGNALS = 2, /* nor processes outside be signalled */
};

/* Asks the kernel.  Without Landlock the result is zero and why_not (if not NULL) gets a static clause that says why.
 */
struct landlock_kernel landlock_probe(const char **why_not);
/* What a kernel with this ABI can do. */
struct landlock_kernel landlock_kernel_of(int abi);

/* Adds the rules of "ro:/usr,rw:/work" to L. */
int landlock_parse(struct arena *a, const char *text, struct spec_landlock *l, struct nook_error *e);
/* Judges whether K can enforce L and SCOPE: an error unless L is optional; then 1 when there is nothing to enforce. */
int landlock_check(const struct landlock_kernel *k, const struct spec_landlock *l, bool scope, struct nook_error *e);

/* The rest allocates nothing and is for the child of clone(). */

/* A descriptor of an empty ruleset. */
int landlock_ruleset(uint64_t handled_fs, uint64_t scopes, struct nook_error *e);
/* The rights that "ro" and "rw" give, out of those handled. */
uint64_t landlock_rights(uint64_t handled_fs, bool write);
/* Allows RIGHTS on the file FD or below the directory FD (O_PATH will do); PATH is for the error. */
int landlock_allow(int ruleset, int fd, uint64_t rights, const char *path, struct nook_error *e);
/* Closes the fence around the calling thread, for good; needs no_new_privs or CAP_SYS_ADMIN. */
int landlock_enforce(int ruleset, struct nook_error *e);
