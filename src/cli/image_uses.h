/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which images containers were made of. */
#pragma once

#include "command/command.h"
#include "runtime/container.h"

/* All containers of this run directory. */
int image_uses(struct cli *c, struct container **ret, size_t *ret_n, struct nook_error *e);
/* A container of the image DIGEST, or NULL. */
const struct container *image_user(const struct container *list, size_t n, const char *digest);
