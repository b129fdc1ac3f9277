/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where nook keeps things when neither an option nor the environment says so. */
#pragma once

#include "command/command.h"

/* Fills c->root and c->run where they are NULL.  Makes nothing. */
int places_default(struct cli *c, struct nook_error *e);
