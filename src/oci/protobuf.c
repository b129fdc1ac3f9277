/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/protobuf.h"

#include <string.h>

enum wire_type { WIRE_NUMBER, WIRE_FIXED_64, WIRE_BYTES, WIRE_FIXED_32 = 5 };

static void put_varint(struct buf *b, uint64_t n)
{
	for (; n > 0x7f; n >>= 7)
		buf_addc(b, (char)(n | 0x80));
	buf_addc(b, (char)n);
}

void pb_put_number(struct buf *b, unsigned field, int64_t value)
{
	put_varint(b, field << 3 | WIRE_NUMBER);
	put_varint(b, (uint64_t)value);
}

void pb_put_bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
	put_varint(b, field << 3 | WIRE_BYTES);
	put_varint(b, len);
	if (len)
		buf_add(b, data, len);
}

void pb_put_string(struct buf *b, unsigned field, const char *s)
{
	pb_put_bytes(b, field, s, strlen(s));
}

static uint64_t take_varint(struct pb_reader *r)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64 && r->len; shift += 7) {
		uint8_t byte = *r->data++;

		r->len--;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return n;
	}
	r->bad = true;
	return 0;
}

static const void *take_bytes(struct pb_reader *r, uint64_t len)
{
	const void *at = r->data;

	if (len > r->len) {
		r->bad = true;
		return NULL;
	}
	r->data += len;
	r->len -= (size_t)len;
	return at;
}

bool pb_next(struct pb_reader *r, struct pb_field *ret)
{
	struct pb_field f = {0};
	uint64_t key;

	if (r->bad || !r->len)
		return false;
	key = take_varint(r);
	f.number = (unsigned)(key >> 3);
	switch (key & 7) {
	case WIRE_NUMBER:
		f.value = (int64_t)take_varint(r);
		break;
	case WIRE_BYTES:
		f.len = (size_t)take_varint(r);
		f.data = take_bytes(r, f.len);
		break;
	case WIRE_FIXED_64:
		(void)take_bytes(r, 8);
		break;
	case WIRE_FIXED_32:
		(void)take_bytes(r, 4);
		break;
	default:
		r->bad = true;
	}
	*ret = f;
	return !r->bad;
}
