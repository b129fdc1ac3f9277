/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/log.h"

#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void log_json_string(const char *text, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;

	buf_addc(out, '"');
	while (*s) {
		size_t len = plain_utf8(s);

		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			buf_addf(out, "\\u%04x", *s);
		else if (plain_is_c1(s))
			buf_addf(out, "\\u%04x", s[1]);
		else if (len)
			buf_add(out, s, len);
		else
			buf_adds(out, "\\ufffd");
		s += len ? len : 1;
	}
	buf_addc(out, '"');
}

static void add_member(struct buf *out, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	buf_addf(out, ",\"%s\":", key);
	log_json_string(value, out);
}

static void add_json(const struct log_line *line, struct buf *out)
{
	struct timespec now = {0};
	struct tm tm = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	buf_addf(out, "{\"level\":\"%s\",\"msg\":", line->level);
	log_json_string(line->message, out);
	buf_addf(out, ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	         tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
	if (line->error) {
		add_member(out, "step", nook_step_name(line->error->step));
		add_member(out, "object", line->error->object);
		add_member(out, "errno", line->error->sys_errno ? strerrorname_np(line->error->sys_errno) : NULL);
		add_member(out, "detail", line->error->detail);
	}
	add_member(out, "hint", line->hint);
	buf_adds(out, "}\n");
}

static void add_text(const struct log_line *line, struct buf *out)
{
	buf_adds(out, "nook: ");
	plain_add(line->message, out);
	buf_addc(out, '\n');
	if (line->hint) {
		buf_adds(out, "  hint: ");
		plain_add(line->hint, out);
		buf_addc(out, '\n');
	}
}

void log_write(enum log_format format, const struct log_line *line)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	if (format == LOG_JSON)
		add_json(line, &out);
	else
		add_text(line, &out);
	(void)fd_write(STDERR_FILENO, out.data, out.len);
}

__attribute__((format(printf, 3, 0)))
static void log_format_line(const struct cli *c, const char *level, const char *fmt, va_list ap)
{
	auto_free char *message = NULL;

	if (vasprintf(&message, fmt, ap) < 0)
		abort();
	log_write(c->log_format, &(struct log_line){.level = level, .message = message});
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	log_format_line(c, "warning", fmt, ap);
	va_end(ap);
}

void cli_debug(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (!c->debug)
		return;
	va_start(ap, fmt);
	log_format_line(c, "debug", fmt, ap);
	va_end(ap);
}

void cli_error(const struct cli *c, const struct nook_error *e)
{
	char message[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];

	(void)nook_error_text(e, message, sizeof(message));
	log_write(c->log_format, &(struct log_line){"error", message, nook_error_hint(e), e});
}

bool cli_has_color(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return !(no_color && no_color[0]) && term && !text_is(term, "dumb") && isatty(STDOUT_FILENO);
}
