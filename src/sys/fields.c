/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/fields.h"

#include "base/fd.h"

#include <string.h>

enum { AT_END = -1 };

void fields_init(struct fields *f, int fd, size_t limit)
{
	/* buf is left as it is: clearing it would cost more than reading most files. */
	f->fd = fd;
	f->error = 0;
	f->left = limit;
	f->at = f->len = 0;
	f->end = '\n';
	f->fit = true;
	f->ended = false;
}

static int next_byte(struct fields *f)
{
	if (f->at == f->len && f->ended)
		return AT_END;
	if (f->at == f->len) {
		/* One at a time: who finds the line early never reads to the end. */
		ssize_t n = f->error ? 0 : fd_read_once(f->fd, f->buf, sizeof(f->buf));

		if (n > 0 && (size_t)n > f->left)
			n = -EFBIG;
		if (n < 0)
			f->error = (int)n;
		f->at = 0;
		f->len = n > 0 ? (size_t)n : 0;
		f->ended = !f->len;
		if (n <= 0)
			return AT_END;
		f->left -= f->len;
	}
	return (unsigned char)f->buf[f->at++];
}

bool fields_next(struct fields *f, char *out, size_t size, const char *stops)
{
	int c = next_byte(f);
	size_t len = 0;

	f->fit = true;
	if (c == AT_END) {
		f->end = 0;
		return false;
	}
	for (; c != AT_END && c != ':' && c != '\n' && !(c && strchr(stops, c)); c = next_byte(f)) {
		if (c && len + 1 < size)
			out[len++] = (char)c;
		else
			f->fit = false;
	}
	out[len] = 0;
	f->end = c == AT_END ? 0 : c;
	return !f->error;
}

void fields_skip_line(struct fields *f)
{
	int c = f->end;

	while (c != '\n' && c != AT_END && c != 0)
		c = next_byte(f);
	f->end = c == AT_END ? 0 : '\n';
}
