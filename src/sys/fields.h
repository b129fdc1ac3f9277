/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files of lines with fields between colons (passwd, group, subuid), field by field, with a fixed buffer and a
 * limit on the whole.  A field that is longer than the caller's room, or that holds a zero byte, is marked as unfit, so
 * that it never compares equal to anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fields {
	int fd; /* borrowed */
	int error; /* 0, or -errno: reading ended early (-EFBIG: the limit) */
	size_t left;
	size_t at, len;
	int end; /* what ended the last field: ':', '\n', a byte of STOPS, or 0 at the end of the file */
	bool fit;
	bool ended; /* nothing is left to read */
	char buf[4096];
};

void fields_init(struct fields *f, int fd, size_t limit);
/* Reads the next field into OUT (terminated): false at the end of the file or on an error.  STOPS: bytes beside ':' and
 * '\n' that end a field. */
bool fields_next(struct fields *f, char *out, size_t size, const char *stops);
/* Passes over the rest of the line. */
void fields_skip_line(struct fields *f);
