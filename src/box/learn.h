/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Learning: a command runs in a wide box, everything that it touches is observed from outside, and a profile is written that
 * opens just that.
 *
 *   the box       programs and libraries as always; everything else of the caller's writable, but for secrets, which are
 *                 hidden; the host's network unless rules say otherwise, with a proxy that tells which hosts are wanted
 *   the observer  observer.h
 *   the profile   learned.h
 */
#pragma once

#include "base/error.h"

struct nook_box;

/* The rules of the wide box, to be added before those of the user. */
int learn_rules(struct nook_box *b, struct nook_error *e);
/* When all rules are there.  *RET: the listener of the proxy in the host's network, or -EBADF when the box has another. */
int learn_ready(struct nook_box *b, int *ret, struct nook_error *e);
