/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --format of commands that tell all about something, as JSON: it picks from the same document. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* The help of it; WHAT is told about. */
#define INSPECT_FORMAT_HELP(what, examples) "print TEXT for each " what ", with " examples " replaced; {{json .}} is the value as JSON"

/* Prints TEXT, an array; or for each of it a line of FORMAT, which on a terminal has no control characters. */
int inspect_show(const struct buf *text, const char *format, struct nook_error *e);
