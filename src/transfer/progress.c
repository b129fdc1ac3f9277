/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/progress.h"

#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum { BAR_MOST = 30, BAR_LEAST = 5, COLUMNS_DEFAULT = 80, NARROW = 24, LABEL = 12, LABEL_NARROW = 6, ROWS_SHOWN = PROGRESS_ROWS_SHOWN };

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

/* What the terminal has room for now; it may be made larger or smaller at any time. */
static struct winsize terminal_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	if (!size.ws_col)
		size.ws_col = COLUMNS_DEFAULT;
	if (!size.ws_row)
		size.ws_row = ROWS_SHOWN + 1;
	return size;
}

/* "LABEL  [====>    ] 1.2 MB / 5.0 MB" in fewer than COLUMNS, or what there is room for of it: a number instead of the bar, then
 * fewer letters. */
static void bar_text(const struct progress *p, const struct progress_row *row, size_t columns, struct buf *out)
{
	uint64_t at = row->at, total = row->total;
	char done[32], whole[32], sizes[80];
	const int state = row->state;
	size_t room, width;

	buf_addf(out, "%.*s  ", columns < NARROW ? LABEL_NARROW : LABEL, row->label);
	if (state != PROGRESS_MOVING || !total) {
		buf_adds(out, state_words(p, state));
		return;
	}
	(void)snprintf(sizes, sizeof(sizes), "%s / %s", size_text(at, done, sizeof(done)), size_text(total, whole, sizeof(whole)));
	if (at > total)
		at = total;
	room = columns > out->len + 1 ? columns - 1 - out->len : 0;
	if (room < strlen(sizes) + sizeof("[] ") - 1 + BAR_LEAST) {
		buf_addf(out, "%u %%", (unsigned)(at * 100 / total));
		return;
	}
	width = room - strlen(sizes) - (sizeof("[] ") - 1);
	if (width > BAR_MOST)
		width = BAR_MOST;
	const size_t filled = (size_t)(at * width / total);

	buf_addc(out, '[');
	for (size_t i = 0; i < width; i++)
		buf_addc(out, (char)(i < filled ? '=' : i == filled ? '>' : ' '));
	buf_addf(out, "] %s", sizes);
}

/* Back to the first line that was drawn: lines that have become too long for the terminal take several now. */
static void go_back(const struct progress *p, size_t columns, struct buf *out)
{
	size_t up = 0;

	for (size_t i = 0; i < p->n_drawn; i++)
		up += p->drawn[i] > columns ? (p->drawn[i] + columns - 1) / columns : 1;
	if (up)
		buf_addf(out, "\033[%zuA", up);
	if (up > p->n_drawn)
		buf_adds(out, "\r\033[J");
}

/* An image of a hundred layers does not fit: the first that are not done are drawn. */
static void show_bars(struct progress *p)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	const struct winsize size = terminal_size();
	const size_t most = size.ws_row > ROWS_SHOWN ? ROWS_SHOWN : size.ws_row > 1 ? size.ws_row - 1U : 1;
	size_t drawn = 0;

	go_back(p, size.ws_col, &out);
	for (size_t i = 0; i < p->n_rows && drawn < most; i++) {
		AUTO_VALUE(buf_done) struct buf line = {0};
		bool is_over = p->rows[i].state >= PROGRESS_DONE;

		if (is_over && p->n_rows > most && p->n_rows - i > most - drawn)
			continue;
		bar_text(p, &p->rows[i], size.ws_col, &line);
		/* The last column stays free: what stands there lets some terminals begin a new line. */
		p->drawn[drawn] = line.len < size.ws_col ? line.len : size.ws_col - 1U;
		buf_addf(&out, "\r\033[K%.*s\n", (int)p->drawn[drawn], buf_text(&line));
		drawn++;
	}
	/* A terminal that was made lower shows fewer. */
	if (drawn < p->n_drawn)
		buf_adds(&out, "\033[J");
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
	plain_add(message, &out);
	buf_addc(&out, '\n');
	write_out(&out);
}
