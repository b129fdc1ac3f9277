/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/load.h"

#include "base/fd.h"

#include <sys/stat.h>

int json_read(int fd, const char *name, size_t limit, enum step_id step, struct json **ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char chunk[16384];
	struct stat st;
	bool known = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;

	if (known && st.st_size > (off_t)limit)
		return err_fmt(e, step, name, EFBIG, "%lld bytes, but at most %zu are read", (long long)st.st_size, limit);
	for (;;) {
		ssize_t n = fd_read_once(fd, chunk, sizeof(chunk));

		if (n < 0)
			return err_num(e, step, name, (int)n);
		buf_add(&text, chunk, (size_t)n);
		if (text.len > limit)
			return err_fmt(e, step, name, EFBIG, "more than %zu bytes", limit);
		if (!n || (known && text.len == (size_t)st.st_size))
			break;
	}
	return json_parse(buf_text(&text), text.len, name, step, ret, e);
}

int json_load(int dir, const char *name, size_t limit, enum step_id step, struct json **ret, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, step, name);
	return json_read(fd, name, limit, step, ret, e);
}
