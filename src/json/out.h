/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text straight into a buffer, without a tree.  Keys come in the order in which they are written; indenting is by
 * tabs, one member a line.  Strings keep the bytes they have; control characters, also those that UTF-8 spells in two bytes, quotes
 * and backslashes are escaped.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum json_style { JSON_PLAIN, JSON_PRETTY };

struct json;
struct json_out {
	struct buf *text; /* borrowed */
	enum json_style style;
	unsigned depth;
	bool has_items;   /* something stands before in the object or array that is open */
};

/* Open and close, as value of KEY; KEY is NULL inside an array and for the whole document. */
void json_out_object(struct json_out *o, const char *key);
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o, const char *key);
void json_out_array_end(struct json_out *o);
/* One value; a NULL string is written as null. */
void json_out_string(struct json_out *o, const char *key, const char *value);
void json_out_i64(struct json_out *o, const char *key, int64_t value);
void json_out_u64(struct json_out *o, const char *key, uint64_t value);
void json_out_double(struct json_out *o, const char *key, double value);
void json_out_bool(struct json_out *o, const char *key, bool value);
/* A NULL-terminated list as an array of strings; NULL is []. */
void json_out_strings(struct json_out *o, const char *key, const char *const *list);
/* A tree; NULL is null. */
void json_out_tree(struct json_out *o, const char *key, struct json *value);
/* The same alone, without blanks. */
void json_text(struct json *value, struct buf *text);
