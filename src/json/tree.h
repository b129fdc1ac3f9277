/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A JSON document in memory.  All values of a document lie in one arena, which its root owns: json_free(root) frees them
 * all, and a value that is not a root is never freed.  null is NULL, and every function takes NULL for it.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json;

/* The root of a new document, an empty object. */
struct json *json_new(void);
void json_free(struct json *root);
CLEANUP_DEFINE(struct json *, json_free)

enum json_type json_type_of(const struct json *value);
static inline bool json_is(const struct json *value, enum json_type type)
{
	return json_type_of(value) == type;
}

/* A string, or a number as it was written; else "".  The length counts NULs that a string may have in it. */
const char *json_string(const struct json *value);
size_t json_string_len(const struct json *value);
/* Numbers beyond the type are answered by the nearest that it has. */
int64_t json_i64(const struct json *value);
uint64_t json_u64(const struct json *value);
bool json_bool(const struct json *value);
/* Elements of an array or members of an object. */
size_t json_length(const struct json *value);
/* Element I of an array or member I of an object, in the order of the text. */
struct json *json_at(const struct json *value, size_t i);
const char *json_key_at(const struct json *object, size_t i);
/* Has OBJECT a member NAME?  *ret (or NULL) is its value, NULL when it has none. */
bool json_find(const struct json *object, const char *name, struct json **ret);

/* New values of the document that OF belongs to; strings are copied. */
struct json *json_make(const struct json *of, enum json_type type);
struct json *json_make_bool(const struct json *of, bool is_true);
struct json *json_make_i64(const struct json *of, int64_t number);
struct json *json_make_double(const struct json *of, double number);
struct json *json_make_string(const struct json *of, const char *text, size_t len);
/* A number as TEXT spells it. */
struct json *json_make_number(const struct json *of, enum json_type type, const char *text, size_t len);
/* Puts VALUE behind ARRAY's elements. */
void json_append(struct json *array, struct json *value);
/* Makes VALUE member NAME of OBJECT, in place of the one that was there. */
void json_set(struct json *object, const char *name, struct json *value);
/* The same without a copy of NAME, which came from json_keep(): a copy of TEXT that lives as long as the document. */
void json_put(struct json *object, const char *name, struct json *value);
const char *json_keep(const struct json *of, const char *text, size_t len);
void json_remove(struct json *object, const char *name);
/* Makes an array that is a root the member NAME of a new root, which is returned and owns all. */
struct json *json_wrap(struct json *root, const char *name);
