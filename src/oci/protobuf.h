/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wire format of protocol buffers, as much as CRIU's messages need: numbers, strings and messages in messages. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

void pb_put_number(struct buf *b, unsigned field, int64_t value);
void pb_put_bytes(struct buf *b, unsigned field, const void *data, size_t len);
void pb_put_string(struct buf *b, unsigned field, const char *s);

struct pb_reader {
	const uint8_t *data;
	size_t len;
	bool bad; /* it broke off; no field comes any more */
};
struct pb_field {
	unsigned number;
	int64_t value;    /* of a number */
	const void *data; /* of a string or message, else NULL */
	size_t len;
};
/* The next field, or false at the end. */
bool pb_next(struct pb_reader *r, struct pb_field *ret);
