/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musl sets close-on-exec once more with fcntl(2), for kernels that did not know the flag in 2007. */
#include <fcntl.h>
#include <stdarg.h>

int open(const char *name, int flags, ...)
{
	mode_t mode = 0;

	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return openat(AT_FDCWD, name, flags, mode);
}
