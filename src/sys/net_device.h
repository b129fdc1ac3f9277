/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network devices that change their namespace (OCI linux.netDevices). */
#pragma once

#include "base/error.h"

/* Moves the device HOST_NAME of the caller's network namespace into NETNS (a namespace descriptor), where it is called
 * NAME, keeps its permanent addresses of global scope, and is up.  For the calling thread, which is in NETNS for a moment;
 * needs CAP_NET_ADMIN here and there, and CAP_SYS_ADMIN there.  Allocates nothing. */
int net_device_move(const char *host_name, const char *name, int netns, struct nook_error *e);
