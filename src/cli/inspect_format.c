/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/inspect_format.h"

#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"
#include "json/load.h"
#include "json/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

/* Templates of docker's begin their names with capitals. */
static bool find_any_case(const struct json *object, const char *name, struct json **ret)
{
	for (size_t i = 0; json_is(object, JSON_OBJECT) && i < json_length(object); i++)
		if (strcasecmp(json_key_at(object, i), name) == 0)
			return json_find(object, json_key_at(object, i), ret);
	return false;
}

/* One step down: member NAME of LEN bytes, which may end in elements: "mounts[0]".  Null is a value too. */
static bool descend(struct json **value, const char *name, size_t len)
{
	char copy[NOOK_OBJECT_MAX], *index, *end;
	struct json *at = *value;

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)len, name);
	index = strchr(copy, '[');
	if (index)
		*index++ = 0;
	if (!json_find(at, copy, &at) && !find_any_case(at, copy, &at))
		return false;
	while (index) {
		size_t n = strtoul(index, &end, 10);

		if (end == index || *end != ']' || !json_is(at, JSON_ARRAY) || n >= json_length(at))
			return false;
		at = json_at(at, n);
		if (!end[1])
			break;
		if (end[1] != '[')
			return false;
		index = end + 2;
	}
	*value = at;
	return true;
}

/* ".limits.pids.max": names may have dots in them, so the longest member that there is wins. */
static bool find_value(struct json **value, const char *path)
{
	if (text_is(path, "."))
		return true;
	while (*path == '.' && path[1]) {
		const char *from = path + 1;
		size_t len = strlen(from);

		while (len && !descend(value, from, len))
			for (len--; len && from[len] != '.'; len--)
				;
		if (!len)
			return false;
		path = from + len;
	}
	return !*path;
}

static int add_value(struct buf *out, struct json *document, const char *path, size_t len, struct nook_error *e)
{
	const bool as_json = len > strlen("json ") && strncmp(path, "json ", strlen("json ")) == 0;
	char copy[NOOK_OBJECT_MAX];
	struct json *value = document;

	path += as_json ? strlen("json ") : 0;
	len -= as_json ? strlen("json ") : 0;
	if (len >= sizeof(copy) || !len || path[0] != '.')
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"{{%.*s}}\" has not the form {{.name}}", (int)(len < 40 ? len : 40), path);
	memcpy(copy, path, len);
	copy[len] = 0;
	if (!find_value(&value, copy))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "there is no member \"%.*s\"", (int)len, path);
	if (json_is(value, JSON_STRING) && !as_json)
		buf_adds(out, json_string(value));
	else
		json_text(value, out);
	return 0;
}

static int add_formatted(struct buf *out, struct json *document, const char *format, struct nook_error *e)
{
	while (*format) {
		const char *open = strstr(format, "{{"), *close = open ? strstr(open, "}}") : NULL;

		if (!close)
			break;
		buf_add(out, format, (size_t)(open - format));
		for (open += 2; *open == ' '; open++)
			;
		size_t len = (size_t)(close - open);

		while (len && open[len - 1] == ' ')
			len--;
		TRY(add_value(out, document, open, len, e));
		format = close + 2;
	}
	buf_adds(out, format);
	buf_addc(out, '\n');
	return 0;
}

static int format_all(const struct buf *text, const char *format, struct buf *out, struct nook_error *e)
{
	AUTO(json_free) struct json *all = NULL;

	TRY(json_parse(buf_text(text), text->len, "inspect", STEP_JSON, &all, e));
	for (size_t i = 0; i < json_length(all); i++)
		TRY(add_formatted(out, json_at(all, i), format, e));
	return 0;
}

/* Programs get a value as it is. */
static void add_for_people(const char *text, struct buf *out)
{
	while (*text) {
		AUTO_VALUE(buf_done) struct buf piece = {0};
		size_t len = strcspn(text, "\n\t");

		buf_add(&piece, text, len);
		plain_add(buf_text(&piece), out);
		text += len;
		if (*text)
			buf_addc(out, *text++);
	}
}

int inspect_show(const struct buf *text, const char *format, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf formatted = {0}, shown = {0};
	const struct buf *result = text;
	int written;

	if (format) {
		TRY(format_all(text, format, &formatted, e));
		result = &formatted;
	}
	if (format && isatty(STDOUT_FILENO)) {
		add_for_people(buf_text(&formatted), &shown);
		result = &shown;
	}
	written = fd_write(STDOUT_FILENO, buf_text(result), result->len);
	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : 0;
}
