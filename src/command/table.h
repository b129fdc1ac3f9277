/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list commands print: rows under headings, aligned for people, or a JSON array of objects. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"

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
