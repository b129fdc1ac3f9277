/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command is one file (cmd_NAME.c): an options struct, its table, run(), and one `const struct command`.
 * main.c finds it, parses its options, prints help and, when run() fails, the error with its hint.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "opt/opt.h"

enum log_format { LOG_TEXT, LOG_JSON };

/* What the global options say; passed to every command. */
struct cli {
	const char *root; /* --root, NOOK_ROOT: images, volumes; /var/lib/nook or $XDG_DATA_HOME/nook */
	const char *run;  /* --run, NOOK_RUN: state of containers; /run/nook or $XDG_RUNTIME_DIR/nook */
	bool debug, quiet;
	enum log_format log_format;
	struct arena *arena; /* lives as long as the program */
	char *const *argv;   /* of the program, to start it anew (sys/selfexe.h) */
};

/* May stdout have colours: is it a terminal that knows them, and does NO_COLOR not forbid it? */
bool cli_has_color(void);

struct command {
	const char *name;    /* "run" */
	const char *usage;   /* "[OPTIONS] SOURCE [--] [COMMAND [ARG...]]" */
	const char *summary; /* one line, lower case, no full stop; NULL: hidden from help */
	const struct opt *options; /* ends with a zeroed row; NULL when there are none */
	size_t options_size; /* sizeof the struct the rows' offsets point into: zeroed before parsing */
	enum opt_mode mode;
	int min_args, max_args; /* arguments besides options; max_args -1: any number */
	/* Returns the program's exit status (>= 0), or -errno with E recorded: printed by main, exit status 125 (STEP_EXEC:
	 * 127 for -ENOENT, else 126). */
	int (*run)(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
	bool transfer; /* nook-transfer runs it, with the same words: run is NULL here */
	const struct command *const *subs; /* "nook cgroup ls": NULL-terminated, or NULL; then run is NULL */
	const char *details; /* paragraphs for --help and the manual, or NULL */
	const char *examples; /* lines "nook run host: sh", or NULL */
};

/* Notes and warnings on stderr, as --log-format says; silent with --quiet. */
void cli_note(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What is being done, only with --debug. */
void cli_debug(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_error(const struct cli *c, const struct nook_error *e);
