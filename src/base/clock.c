/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"

#include <time.h>

enum { NS_PER_S = 1000000000, NS_PER_US = 1000, NS_PER_MS = 1000000 };

static int64_t read_ns(clockid_t clock)
{
	struct timespec t = {0};

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_us(void)
{
	return clock_ns() / NS_PER_US;
}

int64_t clock_ms(void)
{
	return clock_ns() / NS_PER_MS;
}

int64_t clock_date_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}
