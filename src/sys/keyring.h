/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Session keyrings (keyrings(7)): a container gets one of its own, so that the caller's keys are out of its reach. */
#pragma once

#include "base/error.h"

/* Joins a new session keyring; NAME NULL: an anonymous one.  A named one may be joined by later processes of the same
 * user.  A kernel built without keys has nothing to keep apart: 0.  Allocates nothing. */
int keyring_join(const char *name, struct nook_error *e);
