/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/bind.h"

#include <assert.h>

struct pair {
	const char *key, *value;
};

const char *bind_word_of(const struct bind_word *words, int64_t value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return NULL;
}

static uint64_t fetch(const void *member, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)member;
	case 2:
		return *(const uint16_t *)member;
	case 4:
		return *(const uint32_t *)member;
	default:
		assert(size == 8);
		return *(const uint64_t *)member;
	}
}

static int64_t fetch_signed(const void *member, size_t size)
{
	unsigned unused = 64 - 8 * (unsigned)size;

	return (int64_t)(fetch(member, size) << unused) >> unused;
}

static void write_array(struct json_out *o, const struct bind *row, const char *list, size_t n)
{
	json_out_array(o, row->name);
	for (size_t i = 0; i < n; i++) {
		if (row->type == BIND_UINTS) {
			json_out_u64(o, NULL, fetch(list + i * row->size, row->size));
		} else {
			json_out_object(o, NULL);
			bind_write_table(o, row->table, list + i * row->size);
			json_out_object_end(o);
		}
	}
	json_out_array_end(o);
}

static void write_map(struct json_out *o, const struct bind *row, const char *list, size_t n)
{
	json_out_object(o, row->name);
	for (size_t i = 0; i < n; i++) {
		const struct pair *element = (const void *)(list + i * row->size);

		if (row->type == BIND_MAP) {
			json_out_string(o, element->key, element->value);
		} else {
			json_out_object(o, element->key);
			bind_write_table(o, row->table, element);
			json_out_object_end(o);
		}
	}
	json_out_object_end(o);
}

static void write_words(struct json_out *o, const char *key, const struct bind_word *words, uint64_t bits)
{
	json_out_array(o, key);
	for (; words->word; words++)
		if (words->value && (bits & (uint64_t)words->value) == (uint64_t)words->value) {
			json_out_string(o, NULL, words->word);
			bits &= ~(uint64_t)words->value;
		}
	json_out_array_end(o);
}

/* An object in which nothing was written is taken back. */
static void write_struct(struct json_out *o, const struct bind *row, const void *member, bool always)
{
	struct json_out before = *o;
	size_t len = o->text->len;

	json_out_object(o, row->name);
	bind_write_table(o, row->table, member);
	if (o->has_items || always) {
		json_out_object_end(o);
		return;
	}
	*o = before;
	o->text->len = len;
	if (o->text->data)
		o->text->data[len] = 0;
}

static void write_member(struct json_out *o, const struct bind *row, const void *object)
{
	const void *member = (const char *)object + row->offset;
	const void *counter = (const char *)object + row->count;
	size_t count = row->counted && bind_is_list(row) ? *(const size_t *)counter : 0;
	bool always = row->flags & (BIND_ALWAYS | BIND_REQUIRED);
	const char *const *strings;
	const char *text;

	if (row->counted && !bind_is_list(row)) {
		if (!*(const bool *)counter)
			return;
		always = true;
	}
	switch (row->type) {
	case BIND_STRING:
		text = *(const char *const *)member;
		if (text || always)
			json_out_string(o, row->name, text ? text : "");
		break;
	case BIND_BOOL:
		if (*(const bool *)member || always)
			json_out_bool(o, row->name, *(const bool *)member);
		break;
	case BIND_INT:
		if (fetch(member, row->size) || always)
			json_out_i64(o, row->name, fetch_signed(member, row->size));
		break;
	case BIND_UINT:
		if (fetch(member, row->size) || always)
			json_out_u64(o, row->name, fetch(member, row->size));
		break;
	case BIND_OPT_INT:
		if (((const struct opt_i64 *)member)->set)
			json_out_i64(o, row->name, ((const struct opt_i64 *)member)->value);
		break;
	case BIND_OPT_UINT:
		if (((const struct opt_u64 *)member)->set)
			json_out_u64(o, row->name, ((const struct opt_u64 *)member)->value);
		break;
	case BIND_STRINGS:
		strings = *(const char *const *const *)member;
		if ((strings && strings[0]) || always)
			json_out_strings(o, row->name, strings);
		break;
	case BIND_STRUCT:
		write_struct(o, row, member, always);
		break;
	case BIND_UINTS:
	case BIND_ARRAY:
		if (count || always)
			write_array(o, row, *(const char *const *)member, count);
		break;
	case BIND_MAP:
	case BIND_OBJECTS:
		if (count || always)
			write_map(o, row, *(const char *const *)member, count);
		break;
	case BIND_WORD:
		text = bind_word_of(row->words, fetch_signed(member, row->size));
		if (text && (fetch(member, row->size) || always))
			json_out_string(o, row->name, text);
		break;
	case BIND_WORDS:
		if (fetch(member, row->size) || always)
			write_words(o, row->name, row->words, fetch(member, row->size));
		break;
	case BIND_INLINE:
		bind_write_table(o, row->table, member);
		break;
	default:
		assert(row->type == BIND_CUSTOM);
		if (row->custom->write)
			row->custom->write(o, row->name, member);
	}
}

void bind_write_table(struct json_out *o, const struct bind *table, const void *object)
{
	for (const struct bind *row = table; row->type; row++)
		if (!(row->flags & BIND_READ_ONLY))
			write_member(o, row, object);
}

void bind_text(const struct bind *table, const void *object, enum json_style style, struct buf *text)
{
	struct json_out o = {.text = text, .style = style};

	json_out_object(&o, NULL);
	bind_write_table(&o, table, object);
	json_out_object_end(&o);
}

int bind_save(int dir, const char *name, const struct bind *table, const void *object, enum json_style style, mode_t mode,
	enum file_sync sync, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	bind_text(table, object, style, &text);
	buf_addc(&text, '\n');
	return file_replace(dir, name, text.data, text.len, mode, sync, e);
}
