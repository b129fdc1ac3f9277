/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Time that only runs forward (CLOCK_MONOTONIC): for how long something takes, and until when. */
int64_t clock_ns(void);
int64_t clock_us(void);
int64_t clock_ms(void);
/* The date: nanoseconds since 1970. */
int64_t clock_date_ns(void);
