/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is asked for the addresses of hosts. */
#pragma once

#include <stdbool.h>

/* Does this text of an nsswitch.conf name a service that asks a daemon of this machine, and that nothing else does the work of? */
bool nsswitch_asks_daemons(const char *text);
