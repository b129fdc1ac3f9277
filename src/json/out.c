/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/out.h"

#include "base/plain.h"
#include "json/tree.h"

static void break_line(struct json_out *o)
{
	if (o->style != JSON_PRETTY)
		return;
	buf_addc(o->text, '\n');
	for (unsigned i = 0; i < o->depth; i++)
		buf_addc(o->text, '\t');
}

static void add_string(struct buf *b, const char *s)
{
	static const char letters[] = "btn\0fr"; /* \b is 8, \r is 13 */
	const char *plain = s;

	buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= ' ' && c != '"' && c != '\\' && c != 127 && !plain_is_c1((const unsigned char *)s))
			continue;
		buf_add(b, plain, (size_t)(s - plain));
		if (c == 0xc2)
			buf_addf(b, "\\u%04x", (unsigned)(unsigned char)*++s);
		else if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c >= '\b' && c <= '\r' && c != '\v')
			buf_addf(b, "\\%c", letters[c - '\b']);
		else
			buf_addf(b, "\\u%04x", c);
		plain = s + 1;
	}
	buf_add(b, plain, (size_t)(s - plain));
	buf_addc(b, '"');
}

/* What stands before every value: the comma, the line break, the key. */
static void begin(struct json_out *o, const char *key)
{
	if (o->has_items)
		buf_addc(o->text, ',');
	if (o->depth)
		break_line(o);
	o->has_items = true;
	if (!key)
		return;
	add_string(o->text, key);
	buf_adds(o->text, o->style == JSON_PRETTY ? ": " : ":");
}

static void open_with(struct json_out *o, const char *key, char bracket)
{
	begin(o, key);
	buf_addc(o->text, bracket);
	o->depth++;
	o->has_items = false;
}

static void close_with(struct json_out *o, char bracket)
{
	o->depth--;
	if (o->has_items)
		break_line(o);
	buf_addc(o->text, bracket);
	o->has_items = true;
}

void json_out_object(struct json_out *o, const char *key)
{
	open_with(o, key, '{');
}

void json_out_object_end(struct json_out *o)
{
	close_with(o, '}');
}

void json_out_array(struct json_out *o, const char *key)
{
	open_with(o, key, '[');
}

void json_out_array_end(struct json_out *o)
{
	close_with(o, ']');
}

void json_out_string(struct json_out *o, const char *key, const char *value)
{
	begin(o, key);
	if (value)
		add_string(o->text, value);
	else
		buf_adds(o->text, "null");
}

void json_out_i64(struct json_out *o, const char *key, int64_t value)
{
	begin(o, key);
	buf_addf(o->text, "%lld", (long long)value);
}

void json_out_u64(struct json_out *o, const char *key, uint64_t value)
{
	begin(o, key);
	buf_addf(o->text, "%llu", (unsigned long long)value);
}

void json_out_double(struct json_out *o, const char *key, double value)
{
	begin(o, key);
	buf_addf(o->text, "%.17g", value);
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
	begin(o, key);
	buf_adds(o->text, value ? "true" : "false");
}

void json_out_strings(struct json_out *o, const char *key, const char *const *list)
{
	json_out_array(o, key);
	for (; list && *list; list++)
		json_out_string(o, NULL, *list);
	json_out_array_end(o);
}

/* The depth of a tree is that of its maker: json_parse() allows JSON_DEPTH. */
static void add_tree(struct json_out *o, const char *key, struct json *value)
{
	switch (json_type_of(value)) {
	case JSON_OBJECT:
		json_out_object(o, key);
		for (size_t i = 0; i < json_length(value); i++)
			add_tree(o, json_key_at(value, i), json_at(value, i));
		json_out_object_end(o);
		break;
	case JSON_ARRAY:
		json_out_array(o, key);
		for (size_t i = 0; i < json_length(value); i++)
			add_tree(o, NULL, json_at(value, i));
		json_out_array_end(o);
		break;
	case JSON_STRING:
		json_out_string(o, key, json_string(value));
		break;
	case JSON_INT:
	case JSON_DOUBLE:
		begin(o, key);
		buf_adds(o->text, json_string(value));
		break;
	case JSON_BOOL:
		json_out_bool(o, key, json_bool(value));
		break;
	default:
		json_out_string(o, key, NULL);
	}
}

void json_out_tree(struct json_out *o, const char *key, struct json *value)
{
	add_tree(o, key, value);
}

void json_text(struct json *value, struct buf *text)
{
	struct json_out o = {.text = text, .style = JSON_PLAIN};

	add_tree(&o, NULL, value);
}
