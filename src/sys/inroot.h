/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names that a container or an image controls, looked up only below its root (openat2(2), RESOLVE_IN_ROOT, no magic
 * links).  Nothing here allocates, so the child of clone() uses it too.  ROOT is a directory descriptor; NAME may start
 * with "/" or not, may hold "..", and symbolic links in it are taken as they are seen from inside the root.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <sys/types.h>

/* openat2(2): a descriptor or -errno (nothing recorded). */
int inroot_open_raw(int root, const char *name, int flags, mode_t mode);
/* The same, recorded as STEP with NAME as object. */
int inroot_open(int root, const char *name, int flags, enum step_id step, struct nook_error *e);
/* An O_PATH descriptor of the directory NAME; missing components are made with MODE, one by one under their parent's
 * descriptor.  A symbolic link to something that exists is followed inside the root; a dangling one is refused (ENOENT). */
int inroot_mkdirs(int root, const char *name, mode_t mode, struct nook_error *e);
/* As inroot_mkdirs() with 0755 for the parent, then an empty regular file if nothing is there: an O_PATH descriptor of
 * NAME, whatever it is. */
int inroot_mkfile(int root, const char *name, mode_t mode, struct nook_error *e);
/* The parent directory (made if missing) as descriptor and the last component in LAST (at least NAME_MAX + 1 bytes). */
int inroot_parent(int root, const char *name, mode_t mode, char *last, size_t size, struct nook_error *e);
/* An O_PATH descriptor of a directory directly below the root that is no symbolic link; made if missing. */
int inroot_real_dir(int root, const char *name, mode_t mode, struct nook_error *e);
