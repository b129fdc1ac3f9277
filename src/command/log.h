/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines on stderr: text for people, or one JSON object a line.  Each is one write(2), so that lines of several
 * processes do not mix. */
#pragma once

#include "base/buf.h"
#include "command/command.h"

struct log_line {
	const char *level;   /* "error", "warning", "debug" */
	const char *message; /* the whole sentence */
	const char *hint;    /* advice, or NULL */
	const struct nook_error *error; /* its members for JSON, or NULL */
};

void log_write(enum log_format format, const struct log_line *line);
/* TEXT as a JSON string with its quotes; what is no UTF-8 becomes U+FFFD. */
void log_json_string(const char *text, struct buf *out);
