/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of an option table as text for people: --help and manual pages. */
#include "base/buf.h"
#include "opt/opt.h"

#include <string.h>

enum { HELP_COLUMNS = 100, HELP_TEXT_AT_MAX = 36 };

static void add_label(const struct opt *row, struct buf *out)
{
	if (row->letter)
		buf_addf(out, "  -%c", row->letter);
	else
		buf_adds(out, "    ");
	if (row->name)
		buf_addf(out, "%s--%s", row->letter ? ", " : "  ", row->name);
	if (row->type == OPT_OPTIONAL)
		buf_addf(out, "[=%s]", row->value ? row->value : "VALUE");
	else if (row->type != OPT_FLAG)
		buf_addf(out, " %s", row->value ? row->value : "VALUE");
}

/* Where the texts start: behind the widest label that is not too wide. */
static size_t text_column(const struct opt *table)
{
	size_t widest = 0;

	for (const struct opt *row = table; row->type != OPT_END; row++) {
		AUTO_VALUE(buf_done) struct buf label = {0};

		if (row->type == OPT_SECTION)
			continue;
		add_label(row, &label);
		if (label.len > widest && label.len + 2 <= HELP_TEXT_AT_MAX)
			widest = label.len;
	}
	return widest + 2;
}

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_addc(out, ' ');
}

void opt_help_text(const char *text, size_t indent, struct buf *out)
{
	size_t column = indent;

	for (;;) {
		size_t word = strcspn(text, " ");

		if (column > indent && column + 1 + word > HELP_COLUMNS) {
			buf_addc(out, '\n');
			pad(out, indent);
			column = indent;
		} else if (column > indent) {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, text, word);
		column += word;
		if (!text[word])
			break;
		text += word + 1;
	}
	buf_addc(out, '\n');
}

void opt_help(const struct opt *table, struct buf *out)
{
	size_t column = text_column(table);

	for (const struct opt *row = table; row->type != OPT_END; row++) {
		size_t start = out->len;

		if (row->type == OPT_SECTION) {
			buf_addf(out, "\n%s:\n", row->help);
			continue;
		}
		add_label(row, out);
		if (out->len - start + 2 > column) {
			buf_addc(out, '\n');
			pad(out, column);
		} else {
			pad(out, column - (out->len - start));
		}
		opt_help_text(row->help ? row->help : "", column, out);
	}
}

void opt_manual_text(const char *text, struct buf *out)
{
	for (const char *start = text; *text; text++) {
		/* At the start of a line these would make a list. */
		bool leads = (*text == '-' || *text == '.') && (text == start || text[-1] == '\n');

		if (leads || strchr("\\*_#`[]|<>+~", *text))
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
}

void opt_manual(const struct opt *table, struct buf *out)
{
	for (const struct opt *row = table; row->type != OPT_END; row++) {
		if (row->type == OPT_SECTION) {
			buf_addf(out, "## %s\n\n", row->help);
			continue;
		}
		if (row->letter)
			buf_addf(out, "*-%c*%s", row->letter, row->name ? ", " : "");
		if (row->name)
			buf_addf(out, "*--%s*", row->name);
		if (row->type != OPT_FLAG) {
			buf_adds(out, row->type == OPT_OPTIONAL ? "\\[=_" : " _");
			opt_manual_text(row->value ? row->value : "VALUE", out);
			buf_adds(out, row->type == OPT_OPTIONAL ? "_\\]" : "_");
		}
		buf_adds(out, "\n\t");
		opt_manual_text(row->help ? row->help : "", out);
		buf_adds(out, "\n\n");
	}
}
