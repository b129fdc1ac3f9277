/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A growing byte buffer; data is always followed by a zero byte, so it can be read as a string. */
#pragma once

#include "base/alloc.h"

#include <stdarg.h>

struct buf {
	char *data; /* NULL while empty */
	size_t len;
	size_t room;
};

void buf_done(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
/* The character C in UTF-8. */
void buf_add_utf8(struct buf *b, uint32_t c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text, never NULL; borrowed. */
const char *buf_text(const struct buf *b);
/* Its last line that says something, as programs tell why they end; borrowed.  What is blank behind it is cut off. */
const char *buf_last_line(struct buf *b);
