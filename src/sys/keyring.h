/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Session keyrings (keyrings(7)): a container gets one of its own, so that the caller's keys are out of its reach. */
#pragma once

#include "base/error.h"

/* Joins the session keyring NAME, or a new one where there is none that it may join; NAME NULL: an anonymous one.  A kernel
 * built without keys has nothing to keep apart: 0.  Allocates nothing. */
int keyring_join(const char *name, struct nook_error *e);
/* Lets later processes of the same user join the session keyring by its name, NAME. */
int keyring_share(const char *name, struct nook_error *e);
