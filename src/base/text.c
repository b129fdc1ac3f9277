/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

/* Digits of BASE from *s on; at least one.  Advances *s. */
static int take_digits(const char **s, unsigned base, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;

	for (;; p++) {
		unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
		                 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
		                 : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A' + 10)
		                                          : 99;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	if (p == *s)
		return -EINVAL;
	*s = p;
	*ret = value;
	return 0;
}

static int whole(const char *s, unsigned base, uint64_t *ret)
{
	uint64_t value = 0;
	int r = take_digits(&s, base, &value);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = value;
	return 0;
}

int text_u64(const char *s, uint64_t *ret)
{
	return whole(s, 10, ret);
}

int text_u64_any(const char *s, uint64_t *ret)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return whole(s + 2, 16, ret);
	if (s[0] == '0' && s[1])
		return whole(s + 1, 8, ret);
	return whole(s, 10, ret);
}

int text_u32(const char *s, uint32_t *ret)
{
	uint64_t value = 0;
	int r = text_u64(s, &value);

	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int text_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t value = 0;
	int r = text_u64(s + (negative || *s == '+'), &value);

	if (r < 0)
		return r;
	if (value > (uint64_t)INT64_MAX)
		return -ERANGE;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

int text_bytes(const char *s, uint64_t *ret)
{
	static const char units[] = "kmgtp";
	uint64_t value = 0;
	unsigned shift = 0;
	int r = take_digits(&s, 10, &value);

	if (r < 0)
		return r;
	if (*s) {
		const char *unit = strchr(units, *s | 0x20);

		if (unit) {
			shift = 10 * (unsigned)(unit - units + 1);
			s++;
			if ((s[0] | 0x20) == 'i')
				s++;
		}
		if ((s[0] | 0x20) == 'b')
			s++;
		if (*s)
			return -EINVAL;
	}
	if (shift && value > (UINT64_MAX >> shift))
		return -ERANGE;
	*ret = value << shift;
	return 0;
}

static uint64_t duration_unit(const char **s)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ns", 1},           {"us", 1000},           {"ms", 1000000},         {"s", 1000000000},
		{"m", 60000000000U}, {"h", 3600000000000U},  {"d", 86400000000000U},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const char *rest = text_after(*s, units[i].name);

		if (rest && (!*rest || (*rest >= '0' && *rest <= '9'))) {
			*s = rest;
			return units[i].ns;
		}
	}
	return 0;
}

int text_duration(const char *s, int64_t *ret_ns)
{
	bool negative = *s == '-';
	uint64_t total = 0;

	s += *s == '-' || *s == '+';
	do {
		uint64_t value = 0, unit = 1000000000;
		int r = take_digits(&s, 10, &value);

		if (r < 0)
			return r;
		if (*s) {
			unit = duration_unit(&s);
			if (!unit)
				return -EINVAL;
		}
		if (__builtin_mul_overflow(value, unit, &value) || __builtin_add_overflow(total, value, &total))
			return -ERANGE;
	} while (*s);
	if (total > (uint64_t)INT64_MAX)
		return -ERANGE;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

int text_micros(const char *s, uint64_t *ret)
{
	uint64_t value = 0, fraction = 0;
	int r = *s == '.' ? 0 : take_digits(&s, 10, &value);

	if (r < 0)
		return r;
	if (value > UINT64_MAX / 2000000)
		return -ERANGE;
	value *= 1000000;
	if (*s == '.') {
		uint64_t scale = 100000;

		s++;
		if (*s < '0' || *s > '9')
			return -EINVAL;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			fraction += (uint64_t)(*s - '0') * scale;
	}
	if (*s)
		return -EINVAL;
	*ret = value + fraction;
	return 0;
}

int text_mode(const char *s, uint32_t *ret)
{
	uint64_t value = 0;
	int r = whole(s, 8, &value);

	if (r < 0)
		return r;
	if (value > 07777)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int text_bits(const char *s, uint64_t *bits, size_t words)
{
	memset(bits, 0, words * sizeof(*bits));
	for (;;) {
		char *end;
		unsigned long first, last;

		if (*s < '0' || *s > '9')
			return -EINVAL;
		first = last = strtoul(s, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return -EINVAL;
			last = strtoul(end + 1, &end, 10);
		}
		if (last < first)
			return -EINVAL;
		if (last >= words * 64)
			return -ERANGE;
		for (unsigned long i = first; i <= last; i++)
			bits[i / 64] |= UINT64_C(1) << i % 64;
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
		s = end + 1;
	}
}
