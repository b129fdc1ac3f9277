/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices: a file as a block device.  Nothing allocates. */
#pragma once

#include "base/error.h"

enum loop_mode { LOOP_WRITABLE, LOOP_READ_ONLY };
enum { LOOP_NAME_MAX = 32 };

/* A free loop device over the open FILE, with direct I/O where the file can: its descriptor, and its path in NAME.  The
 * device lets go of the file by itself when it is no longer open or mounted, so nothing has to be undone, by whatever
 * the caller is ended.  It keeps the open file itself: a flock(2) taken through FILE lives as long as the device. */
int loop_open(int file, enum loop_mode mode, char name[LOOP_NAME_MAX], const char *object, struct nook_error *e);
/* One that is over FILE already: its descriptor and path, or -ENOENT (nothing recorded). */
int loop_find(int file, char name[LOOP_NAME_MAX], const char *object, struct nook_error *e);
