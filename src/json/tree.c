/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/tree.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An object of so many members is searched through a sorted index, which takes new ones in as many at a time: a hostile document
 * must not cost the square. */
enum { UNSORTED_MAX = 32 };

struct member {
	const char *key;
	struct json *value;
};

struct json {
	struct arena *arena; /* of the document */
	enum json_type type;
	bool is_true;
	uint32_t room; /* for elements or members, and entries of the index */
	size_t n;      /* of them; of a string or number: its bytes */
	union {
		const char *text;
		struct json **elements;
		struct member *members;
	};
	uint32_t *index; /* of the first SORTED members, by key; NULL while there are few */
	uint32_t sorted;
};

/* ---- reading ------------------------------------------------------------------------------------------------------ */

enum json_type json_type_of(const struct json *value)
{
	return value ? value->type : JSON_NULL;
}

static bool has_text(const struct json *value)
{
	return json_is(value, JSON_STRING) || json_is(value, JSON_INT) || json_is(value, JSON_DOUBLE);
}

const char *json_string(const struct json *value)
{
	return has_text(value) ? value->text : "";
}

size_t json_string_len(const struct json *value)
{
	return has_text(value) ? value->n : 0;
}

int64_t json_i64(const struct json *value)
{
	return json_is(value, JSON_INT) ? strtoll(value->text, NULL, 10) : 0;
}

uint64_t json_u64(const struct json *value)
{
	return json_is(value, JSON_INT) && value->text[0] != '-' ? strtoull(value->text, NULL, 10) : 0;
}

bool json_bool(const struct json *value)
{
	return json_is(value, JSON_BOOL) && value->is_true;
}

size_t json_length(const struct json *value)
{
	return json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT) ? value->n : 0;
}

struct json *json_at(const struct json *value, size_t i)
{
	if (i >= json_length(value))
		return NULL;
	return value->type == JSON_ARRAY ? value->elements[i] : value->members[i].value;
}

const char *json_key_at(const struct json *object, size_t i)
{
	assert(json_is(object, JSON_OBJECT) && i < object->n);
	return object->members[i].key;
}

/* Where NAME stands among the first N of the index, or would. */
static size_t place_of(const struct json *object, size_t n, const char *name, bool *ret_found)
{
	size_t low = 0, high = n;

	*ret_found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(object->members[object->index[middle]].key, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL when there is none. */
static struct member *find(const struct json *object, const char *name)
{
	bool found;
	size_t place = place_of(object, object->sorted, name, &found);

	if (found)
		return &object->members[object->index[place]];
	for (size_t i = object->sorted; i < object->n; i++)
		if (object->members[i].key[0] == name[0] && !strcmp(object->members[i].key, name))
			return &object->members[i];
	return NULL;
}

bool json_find(const struct json *object, const char *name, struct json **ret)
{
	const struct member *m = json_is(object, JSON_OBJECT) ? find(object, name) : NULL;

	if (m && ret)
		*ret = m->value;
	return m;
}

/* ---- making ------------------------------------------------------------------------------------------------------- */

static struct json *value_in(struct arena *a, enum json_type type)
{
	struct json *value = arena_new_of(a, struct json);

	value->arena = a;
	value->type = type;
	return value;
}

struct json *json_new(void)
{
	return value_in(arena_new(), JSON_OBJECT);
}

void json_free(struct json *root)
{
	if (root)
		arena_free(root->arena);
}

struct json *json_make(const struct json *of, enum json_type type)
{
	return value_in(of->arena, type);
}

struct json *json_make_bool(const struct json *of, bool is_true)
{
	struct json *value = json_make(of, JSON_BOOL);

	value->is_true = is_true;
	return value;
}

const char *json_keep(const struct json *of, const char *text, size_t len)
{
	return arena_strndup(of->arena, text, len);
}

static struct json *make_text(const struct json *of, enum json_type type, const char *text, size_t len)
{
	struct json *value = json_make(of, type);

	value->text = json_keep(of, text, len);
	value->n = len;
	return value;
}

struct json *json_make_string(const struct json *of, const char *text, size_t len)
{
	return make_text(of, JSON_STRING, text, len);
}

struct json *json_make_number(const struct json *of, enum json_type type, const char *text, size_t len)
{
	assert(type == JSON_INT || type == JSON_DOUBLE);
	return make_text(of, type, text, len);
}

struct json *json_make_i64(const struct json *of, int64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)number);

	return make_text(of, JSON_INT, text, (size_t)len);
}

struct json *json_make_double(const struct json *of, double number)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%.17g", number);

	/* A whole one stays a fraction. */
	if (!strpbrk(text, ".e"))
		len = snprintf(text, sizeof(text), "%.17g.0", number);
	return make_text(of, JSON_DOUBLE, text, (size_t)len);
}

/* Room for one more of SIZE bytes; ITEMS is elements, members or the index. */
static void *grown(const struct json *value, const void *items, size_t size)
{
	void *more = arena_alloc(value->arena, (size_t)value->room * 2 * size);

	if (value->n)
		memcpy(more, items, value->n * size);
	return more;
}

static void make_room(struct json *value)
{
	if (value->n < value->room)
		return;
	if (!value->room)
		value->room = 2;
	if (value->type == JSON_ARRAY)
		value->elements = grown(value, value->elements, sizeof(struct json *));
	else
		value->members = grown(value, value->members, sizeof(*value->members));
	if (value->index)
		value->index = grown(value, value->index, sizeof(*value->index));
	value->room *= 2;
}

void json_append(struct json *array, struct json *value)
{
	assert(json_is(array, JSON_ARRAY));
	make_room(array);
	array->elements[array->n++] = value;
}

/* The next UNSORTED_MAX members find their places among those that have one. */
static void index_more(struct json *object)
{
	uint32_t fresh[UNSORTED_MAX], n = 0, old = object->sorted;

	for (; n < UNSORTED_MAX; n++) {
		const char *key = object->members[old + n].key;
		uint32_t at = n;

		for (; at > 0 && strcmp(object->members[fresh[at - 1]].key, key) > 0; at--)
			fresh[at] = fresh[at - 1];
		fresh[at] = old + n;
	}
	for (size_t end = old; n; n--) {
		bool found;
		size_t place = place_of(object, end, object->members[fresh[n - 1]].key, &found);

		assert(!found);
		memmove(&object->index[place + n], &object->index[place], (end - place) * sizeof(*object->index));
		object->index[place + n - 1] = fresh[n - 1];
		end = place;
	}
	object->sorted = old + UNSORTED_MAX;
}

void json_put(struct json *object, const char *name, struct json *value)
{
	struct member *m;

	assert(json_is(object, JSON_OBJECT));
	m = find(object, name);
	if (m) {
		m->value = value;
		return;
	}
	make_room(object);
	object->members[object->n++] = (struct member){name, value};
	if (object->n - object->sorted < UNSORTED_MAX)
		return;
	if (!object->index)
		object->index = arena_new_n(object->arena, uint32_t, object->room);
	index_more(object);
}

void json_set(struct json *object, const char *name, struct json *value)
{
	json_put(object, json_keep(object, name, strlen(name)), value);
}

void json_remove(struct json *object, const char *name)
{
	struct member *m = json_is(object, JSON_OBJECT) ? find(object, name) : NULL;

	if (!m)
		return;
	memmove(m, m + 1, (size_t)(&object->members[object->n] - (m + 1)) * sizeof(*m));
	object->n--;
	for (object->sorted = 0; object->n - object->sorted >= UNSORTED_MAX;)
		index_more(object);
}

struct json *json_wrap(struct json *root, const char *name)
{
	struct json *whole = json_make(root, JSON_OBJECT);

	json_set(whole, name, root);
	return whole;
}
