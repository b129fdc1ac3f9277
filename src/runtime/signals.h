/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals by name: "TERM", "SIGTERM", "15", "RTMIN+3", "SIGRTMAX-1". */
#pragma once

#include "base/error.h"

/* 0 (the null signal) to 64; -EINVAL, recorded as STEP_SIGNAL with TEXT as object. */
int signal_parse(const char *text, struct nook_error *e);
