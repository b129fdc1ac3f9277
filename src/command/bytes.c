/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/bytes.h"

const char *bytes_text(uint64_t bytes, struct arena *a)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	if (!unit)
		return arena_printf(a, "%llu B", (unsigned long long)bytes);
	return arena_printf(a, value < 9.995 ? "%.2f %s" : value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
