/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/load.h"

#include "base/fd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int refuse_at(const char *text, size_t at, const char *name, enum step_id step, const char *why,
	struct nook_error *e)
{
	char place[NOOK_OBJECT_MAX];
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		line += text[i] == '\n';
		column = text[i] == '\n' ? 1 : column + 1;
	}
	(void)snprintf(place, sizeof(place), "%s:%zu:%zu", name, line, column);
	return err_why(e, step, place, EINVAL, why);
}

int json_parse(const char *text, size_t len, const char *name, enum step_id step, struct json_object **ret,
	struct nook_error *e)
{
	const char *nul = memchr(text, 0, len);
	struct json_tokener *t;
	struct json_object *o;
	enum json_tokener_error failed;
	size_t end;

	if (len > INT_MAX - 1)
		return err_num(e, step, name, EFBIG);
	if (nul)
		return refuse_at(text, (size_t)(nul - text), name, step, "a NUL byte is no JSON", e);
	t = json_tokener_new_ex(JSON_DEPTH);
	if (!t)
		abort();
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(t, text, (int)len);
	failed = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (failed == json_tokener_continue)
		return refuse_at(text, len, name, step, "the text ends in the middle of a value", e);
	if (failed != json_tokener_success)
		return refuse_at(text, end, name, step, json_tokener_error_desc(failed), e);
	if (!o)
		return err_why(e, step, name, EINVAL, "null where an object was expected");
	*ret = o;
	return 0;
}

int json_read(int fd, const char *name, size_t limit, enum step_id step, struct json_object **ret, struct nook_error *e)
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

int json_load(int dir, const char *name, size_t limit, enum step_id step, struct json_object **ret, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, step, name);
	return json_read(fd, name, limit, step, ret, e);
}
