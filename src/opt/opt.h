/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options as rows of a table.  The same rows parse the command line (GNU style: options may follow arguments, --x=v and
 * --x v, -abc), print --help, feed shell completion and the OPTIONS section of the manual.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "base/value.h"

#include <stdbool.h>
#include <stddef.h>

enum opt_type {
	OPT_END,       /* the zeroed row that ends a table */
	OPT_FLAG,      /* bool: true when given; --x=false takes it back */
	OPT_STRING,    /* const char * */
	OPT_STRINGS,   /* struct opt_list: may be repeated */
	OPT_U64,       /* struct opt_u64 */
	OPT_I64,       /* struct opt_i64 */
	OPT_BYTES,     /* struct opt_i64: 512m; -1 is unlimited */
	OPT_DURATION,  /* struct opt_i64, nanoseconds */
	OPT_OPTIONAL,  /* const char *: --x or --x=VALUE; "" without value */
	OPT_SECTION,   /* no option: a heading in --help */
};

struct opt_list {
	const char **items; /* NULL-terminated once opt_parse() returned; NULL when never given */
	size_t n;
};

struct opt {
	char letter;       /* 0: none */
	const char *name;  /* long name without dashes */
	const char *value; /* placeholder for help: "DIR" */
	enum opt_type type;
	size_t offset;     /* into the command's options struct */
	const char *help;
};

enum opt_mode {
	OPT_PERMUTE, /* options may stand anywhere */
	OPT_STOP,    /* parsing stops at the first argument: what follows belongs to the command to run */
	OPT_RAW,     /* nothing is parsed: the command reads its words itself, the rows are for help alone */
	OPT_SOURCE,  /* OPT_STOP where the first argument is a SOURCE or ID: one "--" right behind it is dropped */
};

/* Parses argv[1..]; values land in the target of the row's table at the row's offset, strings point into argv, lists
 * into ARENA.  TABLES and TARGETS are parallel and end with NULL; where two tables have the same option, the first wins.
 * Values already in a target stay unless the option is given again.  *ret_first is the index in argv of the first
 * argument that is no option (argv is reordered, except with OPT_STOP).
 * Errors: STEP_OPTION with "--name" as object; an unknown one suggests the nearest name in its detail. */
int opt_parse(int argc, char **argv, const struct opt *const *tables, enum opt_mode mode, void *const *targets,
              struct arena *a, int *ret_first, struct nook_error *e);

struct buf;
/* "  -v, --volume SRC:DST[:OPTS]   text", one row a line, wrapped at 100 columns. */
void opt_help(const struct opt *table, struct buf *out);
/* The same rows as scdoc for a manual page's OPTIONS section. */
void opt_manual(const struct opt *table, struct buf *out);
/* A paragraph of such a text: wrapped, and its lines after the first indented.  Ends with a newline. */
void opt_help_text(const char *text, size_t indent, struct buf *out);
/* TEXT with what scdoc would take for markup escaped. */
void opt_manual_text(const char *text, struct buf *out);
