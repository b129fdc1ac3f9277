/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command/command.h"
#include "json/out.h"
#include "runtime/container.h"

/* All that is known of the volume NAME as one object of the array that is open. */
int inspect_volume(struct cli *c, struct store_run *r, const char *name, struct json_out *o, struct nook_error *e);
