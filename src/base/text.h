/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small words about strings and the strict parsers of numbers: the whole text must be the value, nothing is guessed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool text_is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The rest of S behind PREFIX, or NULL. */
static inline const char *text_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* 0 or -EINVAL (not a number) or -ERANGE. Decimal; 0x and leading 0 (octal) are taken by text_u64_any(). */
int text_u64(const char *s, uint64_t *ret);
int text_i64(const char *s, int64_t *ret);
int text_u32(const char *s, uint32_t *ret);
int text_u64_any(const char *s, uint64_t *ret);
/* "512m", "1G", "64KiB", "4096": powers of 1024 as docker has them; -1 is not taken here. */
int text_bytes(const char *s, uint64_t *ret);
/* "500ms", "10s", "1m", "100d", "1h30m", plain seconds: nanoseconds, with an optional sign. */
int text_duration(const char *s, int64_t *ret_ns);
/* "0.5" cpus to 500000 (millionths), for --cpus. */
int text_micros(const char *s, uint64_t *ret);
/* A list of numbers as the kernel writes cpus and memory nodes, "0-3,7": their bits in BITS, which has room for WORDS * 64.
 * -EINVAL also when it is empty. */
int text_bits(const char *s, uint64_t *bits, size_t words);
/* Octal mode up to 07777. */
int text_mode(const char *s, uint32_t *ret);
