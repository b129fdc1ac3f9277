/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command/command.h"
#include "json/out.h"

/* All that is known of the image NAME as one object of the array that is open.  -ENOENT (nothing recorded): there is none. */
int inspect_image(struct cli *c, const char *name, struct json_out *o);
