/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * docker's --format: a line for each row, with {{.Name}} replaced by the cell; "table " in front puts headings above and
 * aligns what stands between tabs; {{json .}} is the whole row.
 */
#include "command/table.h"

#include "base/text.h"

#include <strings.h>

enum { GAP = 3, FIELDS_MAX = 64, WHOLE_ROW = 1 << 16 };

/* "CONTAINER ID" is {{.ContainerID}}. */
static bool is_title(const char *title, const char *name, size_t len)
{
	size_t n = 0;

	for (; *title; title++)
		if (*title != ' ' && (n == len || strncasecmp(title, name + n++, 1) != 0))
			return false;
	return n == len;
}

static bool is_word(const char *word, const char *name, size_t len)
{
	return word && strlen(word) == len && strncasecmp(word, name, len) == 0;
}

/* docker's names first: {{.ID}} is the short one that people see. */
static int find_column(const struct table *t, const char *name, size_t len)
{
	for (int i = 0; t->columns[i].type != COLUMN_END; i++)
		if (is_word(t->columns[i].name, name, len))
			return i;
	for (int i = 0; t->columns[i].type != COLUMN_END; i++)
		if (is_word(t->columns[i].key, name, len) || (t->columns[i].title && is_title(t->columns[i].title, name, len)))
			return i;
	return -1;
}

static const char *const row_names[] = {"json .", "json"};

/* The column, or WHOLE_ROW for all of it as JSON. */
static int parse_field(const struct table *t, const char *text, size_t len, struct nook_error *e)
{
	int column;

	for (size_t i = 0; i < sizeof(row_names) / sizeof(row_names[0]); i++)
		if (is_word(row_names[i], text, len))
			return WHOLE_ROW;
	column = len > 1 && *text == '.' ? find_column(t, text + 1, len - 1) : -1;
	if (column < 0)
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "there is no {{%.*s}} in this list", (int)(len < 40 ? len : 40), text);
	return column;
}

/* A word for the heading: the column's own, or the name in capitals. */
static void add_title(const struct table *t, int column, struct buf *out)
{
	const struct column *c = &t->columns[column];
	const char *text = c->title ? c->title : c->name ? c->name : c->key;

	for (; *text; text++)
		buf_addc(out, (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text));
}

/* ROW -1: the heading. */
static int add_row(const struct table *t, const char *format, ssize_t row, struct buf *out, struct nook_error *e)
{
	while (*format) {
		const char *open = strstr(format, "{{"), *close = open ? strstr(open, "}}") : NULL;
		size_t len;
		int column;

		for (; *format && format != (close ? open : NULL); format++) {
			const bool is_escape = format[0] == '\\' && (format[1] == 't' || format[1] == 'n');

			buf_addc(out, (char)(!is_escape ? *format : format[1] == 't' ? '\t' : '\n'));
			format += is_escape;
		}
		if (!close)
			break;
		for (open += 2; *open == ' '; open++)
			;
		for (len = (size_t)(close - open); len && open[len - 1] == ' '; len--)
			;
		column = TRY(parse_field(t, open, len, e));
		if (column == WHOLE_ROW && row >= 0)
			table_json_row(t, (size_t)row, out);
		else if (row < 0)
			add_title(t, column == WHOLE_ROW ? 0 : column, out);
		else
			buf_adds(out, table_cell(t, (size_t)row, (size_t)column));
		format = close + 2;
	}
	buf_addc(out, '\n');
	return 0;
}

/* Fields between tabs get the width of the widest. */
static void align(const char *text, struct buf *out)
{
	size_t widths[FIELDS_MAX] = {0};

	for (int pass = 0; pass < 2; pass++)
		for (const char *line = text; *line;) {
			size_t field = 0, pending = 0;

			for (; *line != '\n'; field++) {
				const size_t len = strcspn(line, "\t\n"), width = table_text_width(line, len), at = field < FIELDS_MAX ? field : FIELDS_MAX - 1;

				if (pass == 0 && width > widths[at])
					widths[at] = width;
				for (; pass && pending; pending--)
					buf_addc(out, ' ');
				if (pass)
					buf_add(out, line, len);
				pending = widths[at] - (width < widths[at] ? width : widths[at]) + GAP;
				line += len + (line[len] == '\t');
			}
			line++;
			if (pass)
				buf_addc(out, '\n');
		}
}

static int add_template(const struct table *t, const char *format, struct buf *out, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const char *rest = text_after(format, "table ");
	const size_t rows = table_rows(t);

	if (rest || !rows)
		TRY(add_row(t, rest ? rest : format, -1, &text, e)); /* also without rows a wrong name is told */
	if (!rest)
		text.len = 0;
	for (size_t i = 0; i < rows; i++)
		TRY(add_row(t, rest ? rest : format, (ssize_t)i, &text, e));
	if (rest)
		align(buf_text(&text), out);
	else
		buf_add(out, text.data, text.len);
	return 0;
}

int table_write(const struct table *t, const char *format, struct buf *out, struct nook_error *e)
{
	if (!format || text_is(format, "table"))
		table_text(t, out);
	else if (text_is(format, "json"))
		table_json(t, out);
	else if (!strstr(format, "{{"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json, nor has it a {{.Name}}", format);
	else
		return add_template(t, format, out, e);
	return 0;
}
