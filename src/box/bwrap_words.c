/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/bwrap_words.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>

enum { BLOCK = 64 << 10 };

int bwrap_refuse(const char *option, const char *why, struct nook_error *e)
{
	return err_why(e, STEP_OPTION, option, EINVAL, why);
}

int bwrap_number(const char *option, const char *text, uint64_t max, uint64_t *ret, struct nook_error *e)
{
	if (text_u64(text, ret) < 0 || *ret > max)
		return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%.60s\" is no number for it", text);
	return 0;
}

int bwrap_descriptor(struct bwrap_words *p, const char *option, const char *text, struct nook_error *e)
{
	uint64_t fd = 0;

	TRY(bwrap_number(option, text, INT_MAX, &fd, e));
	if (fcntl((int)fd, F_GETFD) < 0)
		return err_fmt(e, STEP_OPTION, option, EBADF, "descriptor %s is not open", text);
	*arena_push(p->arena, &p->b->used, &p->b->n_used) = (int)fd;
	return (int)fd;
}

int bwrap_read_fd(struct bwrap_words *p, const char *option, const char *text, size_t max, const char **ret, size_t *ret_len, struct nook_error *e)
{
	int fd = TRY(bwrap_descriptor(p, option, text, e));
	AUTO_VALUE(buf_done) struct buf data = {0};
	auto_free char *block = xcalloc(1, BLOCK);
	ssize_t n;

	while ((n = fd_read(fd, block, BLOCK)) > 0) {
		buf_add(&data, block, (size_t)n);
		if (data.len > max)
			return err_fmt(e, STEP_OPTION, option, EFBIG, "more than %zu bytes can be read from descriptor %s", max, text);
	}
	if (n < 0)
		return err_num(e, STEP_OPTION, option, (int)n);
	*ret = arena_memdup(p->arena, buf_text(&data), data.len + 1);
	*ret_len = data.len;
	return 0;
}
