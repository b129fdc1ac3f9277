/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals by name: "TERM", "SIGTERM", "15", "RTMIN+3", "SIGRTMAX-1". */
#pragma once

#include "base/error.h"

enum { SIGNAL_NAME_MAX = 16 };

/* 0 (the null signal) to 64; -EINVAL, recorded as STEP_SIGNAL with TEXT as object. */
int signal_parse(const char *text, struct nook_error *e);
/* "TERM", "RTMIN+3", "99": without SIG; BUF holds at least SIGNAL_NAME_MAX bytes.  Returns BUF. */
const char *signal_name(int signal, char *buf);
