/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/progress.h"

#include "base/fd.h"
#include "base/text.h"
#include "command/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

enum { BAR_WIDTH = 30, COLUMNS_DEFAULT = 80, ROWS_SHOWN = 16 };

void progress_init(struct progress *p, const struct cli *c, const char *verb, const char *past, bool is_quiet)
{
	const char *term = getenv("TERM");

	*p = (struct progress){
		.cli = c,
		.verb = verb,
		.past = past,
		.is_quiet = is_quiet || c->quiet || c->log_format == LOG_JSON,
		.is_terminal = term && !text_is(term, "dumb") && isatty(STDERR_FILENO),
	};
}

struct progress_row *progress_rows(struct progress *p, size_t n, struct arena *a)
{
	p->rows = arena_new_n(a, struct progress_row, n ? n : 1);
	p->n_rows = n;
	p->n_drawn = 0;
	for (size_t i = 0; i < n; i++)
		p->rows[i].shown = PROGRESS_WAITING;
	return p->rows;
}

static const char *size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "kMGT";
	double value = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		(void)snprintf(buf, size, "%llu B", (unsigned long long)bytes);
		return buf;
	}
	for (; value >= 1000 && unit < sizeof(units) - 2; unit++)
		value /= 1000;
	(void)snprintf(buf, size, value < 10 ? "%.1f %cB" : "%.0f %cB", value, units[unit]);
	return buf;
}

static void write_out(const struct buf *b)
{
	if (b->len)
		(void)fd_write(STDERR_FILENO, b->data, b->len);
}

/* ---- plain lines ---------------------------------------------------------------------------------------------------- */

static const char *state_words(const struct progress *p, int state)
{
	switch (state) {
	case PROGRESS_MOVING:
		return p->verb;
	case PROGRESS_FINISHING:
		return "finishing";
	case PROGRESS_DONE:
		return p->past;
	case PROGRESS_PRESENT:
		return "is there already";
	case PROGRESS_FAILED:
		return "failed";
	default:
		return "waiting";
	}
}

static void show_lines(struct progress *p)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	char size[32];

	for (size_t i = 0; i < p->n_rows; i++) {
		struct progress_row *row = &p->rows[i];
		int state = row->state;

		if (state == row->shown || state == PROGRESS_WAITING || state == PROGRESS_FINISHING || state == PROGRESS_FAILED)
			continue;
		row->shown = state;
		buf_addf(&out, "%s: %s", row->label, state_words(p, state));
		if (state == PROGRESS_MOVING && row->total)
			buf_addf(&out, " %s", size_text(row->total, size, sizeof(size)));
		buf_addc(&out, '\n');
	}
	write_out(&out);
}

/* ---- bars ----------------------------------------------------------------------------------------------------------- */

static void add_bar(const struct progress *p, const struct progress_row *row, struct buf *out)
{
	uint64_t at = row->at, total = row->total;
	char done[32], whole[32];
	int state = row->state;

	buf_addf(out, "\r\033[K%s  ", row->label);
	if (state != PROGRESS_MOVING || !total) {
		buf_addf(out, "%s\n", state_words(p, state));
		return;
	}
	size_t filled = at < total ? (size_t)(at * BAR_WIDTH / total) : BAR_WIDTH;

	buf_addc(out, '[');
	for (size_t i = 0; i < BAR_WIDTH; i++)
		buf_addc(out, (char)(i < filled ? '=' : i == filled ? '>' : ' '));
	buf_addf(out, "] %s / %s\n", size_text(at, done, sizeof(done)), size_text(total, whole, sizeof(whole)));
}

/* An image of a hundred layers does not fit: the first that are not done are drawn. */
static void show_bars(struct progress *p)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	size_t drawn = 0;

	if (p->n_drawn)
		buf_addf(&out, "\033[%zuA", p->n_drawn);
	for (size_t i = 0; i < p->n_rows && drawn < ROWS_SHOWN; i++) {
		bool is_over = p->rows[i].state >= PROGRESS_DONE;

		if (is_over && p->n_rows > ROWS_SHOWN && p->n_rows - i > ROWS_SHOWN - drawn)
			continue;
		add_bar(p, &p->rows[i], &out);
		drawn++;
	}
	p->n_drawn = drawn;
	write_out(&out);
}

void progress_show(struct progress *p)
{
	if (p->is_quiet)
		return;
	if (p->is_terminal)
		show_bars(p);
	else
		show_lines(p);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	auto_free char *message = NULL;
	va_list ap;
	int n;

	if (p->is_quiet)
		return;
	va_start(ap, fmt);
	n = vasprintf(&message, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	log_plain(message, &out);
	buf_addc(&out, '\n');
	write_out(&out);
}
