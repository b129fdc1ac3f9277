/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces, with no library. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

/* Brings "lo" of the caller's network namespace up; its addresses come with that.  Allocates nothing. */
int net_loopback_up(struct nook_error *e);
/* The same by a SOCKET of that namespace, of any family. */
int net_loopback_up_by(int socket, struct nook_error *e);
