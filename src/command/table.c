/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/table.h"

#include "base/plain.h"
#include "base/text.h"
#include "command/log.h"

#include <assert.h>

static size_t count_columns(const struct table *t)
{
	size_t n = 0;

	while (t->columns[n].type != COLUMN_END)
		n++;
	return n;
}

void table_add(struct table *t, const char *const *cells)
{
	for (size_t i = 0, n = count_columns(t); i < n; i++)
		*arena_push(t->arena, &t->cells, &t->n_cells) = cells[i];
}

/* The columns a line takes on a terminal: bytes that do not continue a UTF-8 sequence. */
size_t table_text_width(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (s[i] & 0xc0) != 0x80;
	return n;
}

static size_t text_width(const char *s)
{
	return table_text_width(s, strlen(s));
}

/* The cell as people see it: no control characters, lines joined. */
static const char *plain_cell(const struct table *t, const struct column *c, const char *cell)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (!cell || (c->type == COLUMN_LIST && !cell[0]))
		return "-";
	if (c->type != COLUMN_LIST) {
		plain_add(cell, &text);
	} else {
		while (*cell) {
			size_t len = strcspn(cell, "\n");

			plain_add(arena_strndup(t->arena, cell, len), &text);
			cell += len + (cell[len] == '\n');
			if (*cell)
				buf_addc(&text, ',');
		}
	}
	return arena_strdup(t->arena, buf_text(&text));
}

static void add_line(const struct table *t, const char *const *cells, const size_t *widths, struct buf *out)
{
	size_t padding = 0;
	bool first = true;

	for (size_t i = 0; t->columns[i].type != COLUMN_END; i++) {
		size_t fill;

		if (!t->columns[i].title)
			continue;
		fill = widths[i] - text_width(cells[i]);
		/* Blanks are written only before a cell, so that no line ends with some. */
		padding += (first ? 0 : 3) + (t->columns[i].type == COLUMN_NUMBER ? fill : 0);
		for (; padding; padding--)
			buf_addc(out, ' ');
		buf_adds(out, cells[i]);
		padding = t->columns[i].type == COLUMN_NUMBER ? 0 : fill;
		first = false;
	}
	buf_addc(out, '\n');
}

void table_text(const struct table *t, struct buf *out)
{
	size_t n = count_columns(t);
	const char **plain = arena_new_n(t->arena, const char *, t->n_cells);
	const char **titles = arena_new_n(t->arena, const char *, n);
	size_t *widths = arena_new_n(t->arena, size_t, n);

	assert(n);
	for (size_t i = 0; i < n; i++) {
		titles[i] = t->columns[i].title;
		widths[i] = titles[i] ? text_width(titles[i]) : 0;
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		plain[i] = plain_cell(t, &t->columns[i % n], t->cells[i]);
		if (text_width(plain[i]) > widths[i % n])
			widths[i % n] = text_width(plain[i]);
	}
	add_line(t, titles, widths, out);
	for (size_t i = 0; i < t->n_cells; i += n)
		add_line(t, plain + i, widths, out);
}

static void add_json_list(const struct table *t, const char *cell, struct buf *out)
{
	buf_addc(out, '[');
	while (*cell) {
		size_t len = strcspn(cell, "\n");

		log_json_string(arena_strndup(t->arena, cell, len), out);
		cell += len + (cell[len] == '\n');
		if (*cell)
			buf_addc(out, ',');
	}
	buf_addc(out, ']');
}

static void add_json_cell(const struct table *t, const struct column *c, const char *cell, struct buf *out)
{
	if (c->type == COLUMN_LIST)
		add_json_list(t, cell ? cell : "", out);
	else if (!cell)
		buf_adds(out, "null");
	else if (c->type == COLUMN_NUMBER)
		buf_adds(out, cell);
	else if (c->type == COLUMN_BOOL)
		buf_adds(out, text_is(cell, "yes") ? "true" : "false");
	else
		log_json_string(cell, out);
}

static void add_json_row(const struct table *t, size_t row, const char *before, struct buf *out)
{
	size_t n = count_columns(t);

	for (size_t i = 0; i < n; i++) {
		if (!t->columns[i].key)
			continue;
		buf_adds(out, before);
		log_json_string(t->columns[i].key, out);
		buf_addc(out, ':');
		add_json_cell(t, &t->columns[i], t->cells[row * n + i], out);
		before = ",";
	}
	buf_addc(out, '}');
}

void table_json(const struct table *t, struct buf *out)
{
	buf_addc(out, '[');
	for (size_t row = 0; row < table_rows(t); row++)
		add_json_row(t, row, row ? ",\n {" : "\n {", out);
	buf_adds(out, t->n_cells ? "\n]\n" : "]\n");
}

void table_json_row(const struct table *t, size_t row, struct buf *out)
{
	add_json_row(t, row, "{", out);
}

size_t table_rows(const struct table *t)
{
	return t->n_cells / count_columns(t);
}

const char *table_cell(const struct table *t, size_t row, size_t column)
{
	return plain_cell(t, &t->columns[column], t->cells[row * count_columns(t) + column]);
}
