/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/bind.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>

struct pair {
	const char *key, *value;
};

/* ---- the path ---------------------------------------------------------------------------------------------------- */

int bind_enter(struct bind_reader *r, const char *name, size_t index, struct nook_error *e)
{
	if (r->depth == BIND_DEPTH)
		return bind_refuse(r, e, "nested too deeply");
	r->path[r->depth].name = name;
	r->path[r->depth].index = index;
	r->depth++;
	return 0;
}

void bind_leave(struct bind_reader *r)
{
	r->depth--;
}

/* The path as text. */
static const char *where_text(const struct bind_reader *r, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < r->depth && len < size; i++) {
		int n = r->path[i].name
			? snprintf(buf + len, size - len, "%s%s", len ? "." : "", r->path[i].name)
			: snprintf(buf + len, size - len, "[%zu]", r->path[i].index);

		len += n < 0 ? 0 : (size_t)n;
	}
	return buf;
}

int bind_refuse(struct bind_reader *r, struct nook_error *e, const char *fmt, ...)
{
	char where[NOOK_OBJECT_MAX], why[NOOK_DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_why(e, r->step, where_text(r, where, sizeof(where)), EINVAL, why);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const char *type_words(enum json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_BOOL:
		return "true or false";
	case JSON_INT:
		return "an integer";
	case JSON_DOUBLE:
		return "a number with a fraction";
	default:
		return "null";
	}
}

int bind_expect(struct bind_reader *r, struct json *value, enum json_type type, struct nook_error *e)
{
	if (json_is(value, type))
		return 0;
	return bind_refuse(r, e, "expected %s, found %s", type_words(type), type_words(json_type_of(value)));
}

int bind_read_string(struct bind_reader *r, struct json *value, const char **ret, struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_STRING, e));
	const char *text = json_string(value);
	size_t len = json_string_len(value);

	if (strlen(text) != len)
		return bind_refuse(r, e, "the string has a NUL character in it");
	*ret = arena_strndup(r->arena, text, len);
	return 0;
}

static int read_i64(struct bind_reader *r, struct json *value, int64_t min, int64_t max, int64_t *ret,
	struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_INT, e));
	int64_t number = json_i64(value);

	/* What only fits an uint64 is answered by the nearest int64. */
	if (number < min || number > max || (number == INT64_MAX && json_u64(value) > INT64_MAX))
		return bind_refuse(r, e, "%s is not between %lld and %lld", json_string(value), (long long)min,
			(long long)max);
	*ret = number;
	return 0;
}

static int read_u64(struct bind_reader *r, struct json *value, uint64_t max, uint64_t *ret, struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_INT, e));
	uint64_t number = json_u64(value);

	if (json_i64(value) < 0 || number > max)
		return bind_refuse(r, e, "%s is not between 0 and %llu", json_string(value),
			(unsigned long long)max);
	*ret = number;
	return 0;
}

const struct bind_word *bind_word_find(const struct bind_word *words, const char *word)
{
	for (; words->word; words++)
		if (text_is(words->word, word))
			return words;
	return NULL;
}

/* ---- integers of any width --------------------------------------------------------------------------------------- */

static void store(void *member, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)member = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)member = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)member = (uint32_t)value;
		break;
	default:
		assert(size == 8);
		*(uint64_t *)member = value;
	}
}

/* The largest unsigned value of SIZE bytes. */
static uint64_t top(size_t size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int check_count(struct bind_reader *r, struct json *value, struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_ARRAY, e));
	if (json_length(value) > BIND_ITEMS_MAX)
		return bind_refuse(r, e, "more than %d elements", BIND_ITEMS_MAX);
	return 0;
}

static int read_word(struct bind_reader *r, struct json *value, const struct bind_word *words, int64_t *ret,
	struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_STRING, e));
	const struct bind_word *found = bind_word_find(words, json_string(value));

	if (!found)
		return bind_refuse(r, e, "\"%s\" is unknown here", json_string(value));
	*ret = found->value;
	return 0;
}

static int read_strings(struct bind_reader *r, const struct bind *row, struct json *value, void *object,
	struct nook_error *e)
{
	TRY(check_count(r, value, e));
	size_t n = json_length(value);
	const char **list = arena_new_n(r->arena, const char *, n + 1);

	for (size_t i = 0; i < n; i++) {
		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_string(r, json_at(value, i), &list[i], e));
		bind_leave(r);
	}
	*(const char ***)((char *)object + row->offset) = list;
	if (row->counted)
		*(size_t *)((char *)object + row->count) = n;
	return 0;
}

static int read_uints(struct bind_reader *r, const struct bind *row, struct json *value, void *object,
	struct nook_error *e)
{
	TRY(check_count(r, value, e));
	size_t n = json_length(value);
	char *list = arena_alloc(r->arena, n * row->size);

	for (size_t i = 0; i < n; i++) {
		uint64_t number = 0;

		TRY(bind_enter(r, NULL, i, e));
		TRY(read_u64(r, json_at(value, i), top(row->size), &number, e));
		bind_leave(r);
		store(list + i * row->size, row->size, number);
	}
	*(void **)((char *)object + row->offset) = list;
	*(size_t *)((char *)object + row->count) = n;
	return 0;
}

static int read_array(struct bind_reader *r, const struct bind *row, struct json *value, void *object,
	struct nook_error *e)
{
	TRY(check_count(r, value, e));
	size_t n = json_length(value);
	char *list = arena_alloc(r->arena, n * row->size);

	for (size_t i = 0; i < n; i++) {
		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_table(r, json_at(value, i), row->table, list + i * row->size, e));
		bind_leave(r);
	}
	*(void **)((char *)object + row->offset) = list;
	*(size_t *)((char *)object + row->count) = n;
	return 0;
}

/* The key of an element of BIND_OBJECTS and BIND_MAP is its first member. */
static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_map(struct bind_reader *r, const struct bind *row, struct json *value, void *object,
	struct nook_error *e)
{
	char *list;
	size_t n = 0;

	assert(row->type != BIND_MAP || row->size == sizeof(struct pair));
	TRY(bind_expect(r, value, JSON_OBJECT, e));
	if (json_length(value) > BIND_ITEMS_MAX)
		return bind_refuse(r, e, "more than %d members", BIND_ITEMS_MAX);
	list = arena_alloc(r->arena, (size_t)json_length(value) * row->size);
	for (size_t i = 0; i < json_length(value); i++) {
		const char *key = json_key_at(value, i);
		struct json *member = json_at(value, i);
		char *element = list + n++ * row->size;

		TRY(bind_enter(r, key, 0, e));
		if (row->type == BIND_MAP)
			TRY(bind_read_string(r, member, &((struct pair *)(void *)element)->value, e));
		else
			TRY(bind_read_table(r, member, row->table, element, e));
		bind_leave(r);
		*(const char **)(void *)element = arena_strdup(r->arena, key);
	}
	if (n)
		qsort(list, n, row->size, by_key);
	*(char **)((char *)object + row->offset) = list;
	*(size_t *)((char *)object + row->count) = n;
	return 0;
}

static int read_words(struct bind_reader *r, const struct bind *row, struct json *value, void *member,
	struct nook_error *e)
{
	uint64_t bits = 0;

	TRY(check_count(r, value, e));
	for (size_t i = 0; i < json_length(value); i++) {
		int64_t bit = 0;

		TRY(bind_enter(r, NULL, i, e));
		TRY(read_word(r, json_at(value, i), row->words, &bit, e));
		bind_leave(r);
		bits |= (uint64_t)bit;
	}
	store(member, row->size, bits);
	return 0;
}

static int read_member(struct bind_reader *r, const struct bind *row, struct json *value, void *object,
	struct nook_error *e)
{
	void *member = (char *)object + row->offset;
	struct opt_i64 *opt_int = member;
	struct opt_u64 *opt_uint = member;
	uint64_t unsigned_value = 0;
	int64_t value_int = 0;

	switch (row->type) {
	case BIND_STRING:
		return bind_read_string(r, value, member, e);
	case BIND_BOOL:
		TRY(bind_expect(r, value, JSON_BOOL, e));
		*(bool *)member = json_bool(value);
		return 0;
	case BIND_INT:
		TRY(read_i64(r, value, -(int64_t)(top(row->size) >> 1) - 1, (int64_t)(top(row->size) >> 1),
			&value_int, e));
		store(member, row->size, (uint64_t)value_int);
		return 0;
	case BIND_UINT:
		TRY(read_u64(r, value, top(row->size), &unsigned_value, e));
		store(member, row->size, unsigned_value);
		return 0;
	case BIND_OPT_INT:
		TRY(read_i64(r, value, INT64_MIN, INT64_MAX, &value_int, e));
		*opt_int = (struct opt_i64){value_int, true};
		return 0;
	case BIND_OPT_UINT:
		TRY(read_u64(r, value, UINT64_MAX, &unsigned_value, e));
		*opt_uint = (struct opt_u64){unsigned_value, true};
		return 0;
	case BIND_STRINGS:
		return read_strings(r, row, value, object, e);
	case BIND_UINTS:
		return read_uints(r, row, value, object, e);
	case BIND_STRUCT:
		return bind_read_table(r, value, row->table, member, e);
	case BIND_ARRAY:
		return read_array(r, row, value, object, e);
	case BIND_MAP:
	case BIND_OBJECTS:
		return read_map(r, row, value, object, e);
	case BIND_WORD:
		TRY(read_word(r, value, row->words, &value_int, e));
		store(member, row->size, (uint64_t)value_int);
		return 0;
	case BIND_WORDS:
		return read_words(r, row, value, member, e);
	default:
		assert(row->type == BIND_CUSTOM);
		return row->custom->read(r, value, member, e);
	}
}

int bind_read_table(struct bind_reader *r, struct json *value, const struct bind *table, void *object,
	struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_OBJECT, e));
	for (const struct bind *row = table; row->type; row++) {
		struct json *member = NULL;

		if (row->type == BIND_INLINE) {
			TRY(bind_read_table(r, value, row->table, (char *)object + row->offset, e));
			continue;
		}
		(void)json_find(value, row->name, &member);
		if (!member && !(row->flags & BIND_REQUIRED))
			continue;
		TRY(bind_enter(r, row->name, 0, e));
		if (!member)
			return bind_refuse(r, e, "missing");
		TRY(read_member(r, row, member, object, e));
		if (row->counted && !bind_is_list(row))
			*(bool *)((char *)object + row->count) = true;
		bind_leave(r);
	}
	return 0;
}

int bind_read(struct json *root, const struct bind *table, void *object, struct arena *a, const char *prefix,
	enum step_id step, struct nook_error *e)
{
	struct bind_reader r = {.arena = a, .step = step};

	if (prefix)
		TRY(bind_enter(&r, prefix, 0, e));
	return bind_read_table(&r, root, table, object, e);
}

int bind_load(int dir, const char *name, size_t limit, const struct bind *table, void *object, struct arena *a,
	enum step_id step, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;

	TRY(json_load(dir, name, limit, step, &root, e));
	return bind_read(root, table, object, a, NULL, step, e);
}
