/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run img:FILE, tar:FILE: what kind of file it is, and what it says about the process. */
#pragma once

#include "cli/run_options.h"

/* Is DIR an image as skopeo copies it to "dir:", and no root? */
bool run_file_is_image(const char *dir);
/* img:FILE becomes what FILE is: a file system, a root in an archive (tar:), or an archive of images.  RET_CONFIG: what goes
 * with a file that nook export wrote (image/config.h), or NULL. */
int run_file_look(struct cli *c, struct run_source *source, const char **ret_config, struct nook_error *e);
