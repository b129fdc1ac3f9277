/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/content.h"

#include "base/fd.h"

#include <stdbool.h>
#include <string.h>

static bool is_all_zero(const char *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static off_t next_data(int fd, off_t at)
{
	off_t to = lseek(fd, at, SEEK_DATA);

	/* ENXIO: nothing but a hole is left.  Anything else: the file system does not know. */
	return to >= 0 ? to : errno == ENXIO ? lseek(fd, 0, SEEK_END) : at;
}

static int skip_holes(int left, int right)
{
	const off_t at = lseek(left, 0, SEEK_CUR), other = lseek(right, 0, SEEK_CUR);
	off_t to;

	if (at < 0 || at != other)
		return 0;
	to = next_data(left, at);
	if (next_data(right, at) < to)
		to = next_data(right, at);
	if (to < at)
		to = at;
	return lseek(left, to, SEEK_SET) < 0 || lseek(right, to, SEEK_SET) < 0 ? -errno : 0;
}

int content_compare(int left, int right, char *const blocks[static 2], size_t size)
{
	for (;;) {
		ssize_t n = fd_read(left, blocks[0], size), other = fd_read(right, blocks[1], size);

		if (n < 0 || other < 0)
			return (int)(n < 0 ? n : other);
		if (n != other || memcmp(blocks[0], blocks[1], (size_t)n) != 0)
			return 1;
		if (!n)
			return 0;
		if (is_all_zero(blocks[0], (size_t)n) && (n = skip_holes(left, right)) < 0)
			return (int)n;
	}
}
