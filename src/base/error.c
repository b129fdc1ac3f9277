/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

/* What clang's analyzer takes for them. */
#undef err_sys
#undef err_num
#undef err_why
#undef err_fmt

#include <stdio.h>
#include <string.h>

static const char *const step_words[STEP_COUNT] = {
#define X(id, word) [id] = word,
	STEP_LIST(X)
#undef X
};

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = 0;
}

int err_num(struct nook_error *e, enum step_id step, const char *object, int errnum)
{
	int positive = errnum < 0 ? -errnum : errnum;

	if (!positive)
		positive = EIO;
	if (e) {
		e->size = sizeof(*e);
		e->step = (int)step;
		e->sys_errno = positive;
		e->rule = 0;
		copy_text(e->object, sizeof(e->object), object);
		e->detail[0] = 0;
	}
	return -positive;
}

int err_sys(struct nook_error *e, enum step_id step, const char *object)
{
	return err_num(e, step, object, errno);
}

void err_detail(struct nook_error *e, const char *detail)
{
	if (e)
		copy_text(e->detail, sizeof(e->detail), detail);
}

int err_why(struct nook_error *e, enum step_id step, const char *object, int errnum, const char *detail)
{
	int r = err_num(e, step, object, errnum);

	err_detail(e, detail);
	if (e)
		e->sys_errno = 0;
	return r;
}

int err_fmt(struct nook_error *e, enum step_id step, const char *object, int errnum, const char *fmt, ...)
{
	int r = err_num(e, step, object, errnum);
	va_list ap;

	if (!e)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf(e->detail, sizeof(e->detail), fmt, ap);
	va_end(ap);
	e->sys_errno = 0;
	return r;
}

const char *nook_step_name(int step)
{
	return step >= 0 && step < STEP_COUNT ? step_words[step] : "unknown";
}

int nook_error_text(const struct nook_error *e, char *buf, size_t size)
{
	const char *words = e->sys_errno ? strerror(e->sys_errno) : "";

	return snprintf(buf, size, "%s%s%s%s%s%s%s%s", nook_step_name(e->step), e->object[0] ? " \"" : "", e->object,
	                e->object[0] ? "\"" : "", e->detail[0] ? ": " : "", e->detail, words[0] ? ": " : "", words);
}
