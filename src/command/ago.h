/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans of time and moments, as lists show them. */
#pragma once

#include "base/alloc.h"

/* "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks". */
const char *ago_span(struct arena *a, int64_t ns);
/* CLOCK_REALTIME in nanoseconds as RFC 3339 in UTC: "2026-01-31T12:00:00.123456789Z"; NULL for 0. */
const char *ago_stamp(struct arena *a, int64_t ns);
