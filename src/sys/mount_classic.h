/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* mount(2)'s way, for what fsconfig(2) cannot say: it takes 255 bytes for a value, mount(2) a page for all.  The new mount is
 * on TARGET for a moment: in a mount namespace that is the caller's own.  A mount that is attached nowhere, or -errno. */
int mount_classic(const char *fstype, const char *target, const char *options, uint64_t attr);
