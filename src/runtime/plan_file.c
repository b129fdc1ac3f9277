/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/plan_file.h"

#include "base/fd.h"

enum { PLAN_MAX = 16 << 20 };

int plan_save(int dir, const struct plan *p, struct nook_error *e)
{
	/* Written before anything is started and never again, so that it need not be replaced. */
	auto_close int fd = openat(dir, PLAN_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write(fd, p, p->size);

	return r < 0 ? err_num(e, STEP_STATE, PLAN_FILE, r) : 0;
}

int plan_load(int dir, struct arena *a, const struct plan **ret, struct nook_error *e)
{
	struct buf text = {0};
	int r = file_read(dir, PLAN_FILE, PLAN_MAX, &text, e);

	if (r == 0 && plan_validate(buf_text(&text), text.len) < 0)
		r = err_why(e, STEP_STATE, PLAN_FILE, EINVAL, "it was written by another version of nook, or is damaged");
	if (r == 0)
		*ret = arena_memdup(a, buf_text(&text), text.len);
	buf_done(&text);
	return r;
}
