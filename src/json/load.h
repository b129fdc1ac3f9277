/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text from outside to a tree: limited in size and depth before anything is built from it, strict in syntax,
 * and with the place (line:column) in every error.  Of equal keys in one object the last wins.
 */
#pragma once

#include "base/error.h"
#include "json/tree.h"

enum {
	JSON_LIMIT = 16 << 20, /* bytes of one document; configurations are far below */
	JSON_DEPTH = 64,
};

/* Reads DIR/NAME.  -EFBIG when it is longer than LIMIT bytes (asked of the file system first), -EINVAL for bad syntax with
 * "NAME:line:column" as object.  *ret belongs to the caller: AUTO(json_free). */
int json_load(int dir, const char *name, size_t limit, enum step_id step, struct json **ret, struct nook_error *e);
/* The same from an open descriptor, read to its end; NAME is for messages. */
int json_read(int fd, const char *name, size_t limit, enum step_id step, struct json **ret, struct nook_error *e);
/* The same from memory. */
int json_parse(const char *text, size_t len, const char *name, enum step_id step, struct json **ret,
	struct nook_error *e);
