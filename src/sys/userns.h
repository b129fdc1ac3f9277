/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User namespaces that nobody lives in: what mount_setattr(2) wants for the id map of a mount. */
#pragma once

#include "base/error.h"

/* A descriptor of a new user namespace with these maps (lines of "inside outside count"). */
int userns_make(const char *uid_map, const char *gid_map, struct nook_error *e);
