/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run img:FILE for who cannot mount it. */
#pragma once

#include "command/command.h"
#include "sys/fsimage.h"

/* Does a program take this type apart? */
bool run_extract_knows(enum fsimage_type type);
/* The file system in IMAGE into the directory TARGET, all of it the caller's.  The program that reads it does so in a container:
 * what is in the file may come from anybody. */
int run_extract(struct cli *c, const char *image, enum fsimage_type type, const char *target, struct nook_error *e);
