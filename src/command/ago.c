/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/ago.h"

#include <time.h>

enum { NS_PER_S = 1000000000 };

/* The last row whose span has passed is the one that is used. */
static const struct {
	int64_t from_s, unit_s;
	const char *words; /* unit 0: the whole text */
} spans[] = {
	{0, 0, "Less than a second"}, {1, 0, "1 second"},    {2, 1, "seconds"},     {60, 0, "About a minute"},
	{120, 60, "minutes"},         {3600, 0, "About an hour"}, {7200, 3600, "hours"}, {172800, 86400, "days"},
	{1209600, 604800, "weeks"},   {5184000, 2592000, "months"}, {63072000, 31536000, "years"},
};

const char *ago_span(struct arena *a, int64_t ns)
{
	int64_t s = ns / NS_PER_S;
	size_t i = sizeof(spans) / sizeof(spans[0]) - 1;

	while (i && s < spans[i].from_s)
		i--;
	return spans[i].unit_s ? arena_printf(a, "%lld %s", (long long)(s / spans[i].unit_s), spans[i].words) : spans[i].words;
}

const char *ago_stamp(struct arena *a, int64_t ns)
{
	time_t s = (time_t)(ns / NS_PER_S);
	char text[32];
	struct tm tm;

	if (!ns || !gmtime_r(&s, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	return arena_printf(a, "%s.%09lldZ", text, (long long)(ns % NS_PER_S));
}

