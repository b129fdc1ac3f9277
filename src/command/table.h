/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list commands print: rows under headings, aligned for people, or a JSON array of objects. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

enum column_type {
	COLUMN_END,
	COLUMN_TEXT,
	COLUMN_NUMBER, /* right-aligned; a bare number in JSON */
	COLUMN_BOOL,   /* the cell is "yes" or "no"; true or false in JSON */
	COLUMN_LIST,   /* the cell is lines; joined with commas for people, an array in JSON */
};

struct column {
	const char *title; /* "PID"; NULL: only in JSON */
	const char *key;   /* "pid"; NULL: only for people */
	enum column_type type;
	const char *name;  /* what a --format of docker calls it, {{.ID}}, where neither title nor key is that */
};

struct table {
	const struct column *columns; /* ends with a zeroed one */
	struct arena *arena;
	const char **cells;
	size_t n_cells;
};

/* Cells are borrowed, in the order of the columns, as many as there are; NULL: "-" for people, null in JSON. */
void table_add(struct table *t, const char *const *cells);
void table_text(const struct table *t, struct buf *out);
void table_json(const struct table *t, struct buf *out);
/* As --format asks: NULL or "table", "json", or docker's way: "{{.Name}}: {{.Size}}", "table {{.ID}}\t{{.Name}}". */
int table_write(const struct table *t, const char *format, struct buf *out, struct nook_error *e);
#define TABLE_FORMAT "table|json|TEMPLATE"
#define TABLE_FORMAT_HELP "how the list is written; TEMPLATE: docker's, a line per row with {{.Name}} replaced"

/* For table_format.c: */
size_t table_rows(const struct table *t);
/* As people see it. */
const char *table_cell(const struct table *t, size_t row, size_t column);
void table_json_row(const struct table *t, size_t row, struct buf *out);
size_t table_text_width(const char *s, size_t len);
