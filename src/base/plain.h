/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that strangers wrote, as a terminal may be shown it. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

/* The length of the valid UTF-8 sequence at S, or 0. */
size_t plain_utf8(const unsigned char *s);
/* Does a C1 control (U+0080..U+009F) stand at S?  It moves a cursor as ESC does. */
static inline bool plain_is_c1(const unsigned char *s)
{
	return s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0;
}
/* Adds TEXT without control characters: they become \xNN, and so does what is no UTF-8. */
void plain_add(const char *text, struct buf *out);
