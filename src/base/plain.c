/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/plain.h"

size_t plain_utf8(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* overlong, surrogate, or beyond Unicode */
	return len;
}

void plain_add(const char *text, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t len = plain_utf8(s);
		bool control = *s < 0x20 || *s == 0x7f || !len || plain_is_c1(s);

		if (control)
			for (size_t i = 0; i < (len ? len : 1); i++)
				buf_addf(out, "\\x%02x", s[i]);
		else
			buf_add(out, s, len);
		s += len ? len : 1;
	}
}
