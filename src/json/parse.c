/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to tree: RFC 8259 and nothing besides; bytes above 127 are taken as they are. */
#include "json/load.h"

#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* More members than any object has; an index is kept sorted for them. */
enum { MEMBERS_MAX = 65536 };

struct parser {
	const char *at, *start, *end;
	const char *name;
	enum step_id step;
	struct json *root; /* owns what is made */
	struct buf text;   /* of the string that is read */
	struct nook_error *e;
};

/* ---- places ------------------------------------------------------------------------------------------------------- */

static int refuse(struct parser *p, const char *why)
{
	char place[NOOK_OBJECT_MAX];
	size_t line = 1, column = 1;

	for (const char *c = p->start; c < p->at; c++) {
		line += *c == '\n';
		column = *c == '\n' ? 1 : column + 1;
	}
	(void)snprintf(place, sizeof(place), "%s:%zu:%zu", p->name, line, column);
	return err_why(p->e, p->step, place, EINVAL, why);
}

/* WHY, unless the text is over. */
static int refuse_here(struct parser *p, const char *why)
{
	return refuse(p, p->at == p->end ? "the text ends in the middle of a value" : why);
}

static int peek(const struct parser *p)
{
	return p->at < p->end ? (unsigned char)*p->at : -1;
}

static bool take(struct parser *p, char c)
{
	if (peek(p) != (unsigned char)c)
		return false;
	p->at++;
	return true;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

/* ---- strings ------------------------------------------------------------------------------------------------------ */

static int read_hex(struct parser *p, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++, p->at++) {
		int c = peek(p), letter = c | 0x20;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (letter >= 'a' && letter <= 'f')
			value = value << 4 | (uint32_t)(letter - 'a' + 10);
		else
			return refuse_here(p, "\\u wants four hexadecimal digits");
	}
	*ret = value;
	return 0;
}

/* Behind \u.  Half of a pair stands for no character: it becomes U+FFFD. */
static int read_unicode(struct parser *p)
{
	uint32_t c = 0, low = 0;

	TRY(read_hex(p, &c));
	if (c >= 0xd800 && c < 0xdc00 && p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u') {
		const char *before = p->at;

		p->at += 2;
		TRY(read_hex(p, &low));
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		} else {
			p->at = before;
			c = 0xfffd;
		}
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	buf_add_utf8(&p->text, c);
	return 0;
}

static int read_escape(struct parser *p)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *found = peek(p) > 0 ? strchr(letters, peek(p)) : NULL;

	if (found) {
		p->at++;
		buf_addc(&p->text, values[found - letters]);
		return 0;
	}
	return take(p, 'u') ? read_unicode(p) : refuse_here(p, "unknown escape in a string");
}

/* Behind the opening quote; the text is p->text. */
static int read_string(struct parser *p)
{
	p->text.len = 0;
	for (;;) {
		const char *plain = p->at;

		while (p->at < p->end && (unsigned char)*p->at >= ' ' && *p->at != '"' && *p->at != '\\')
			p->at++;
		buf_add(&p->text, plain, (size_t)(p->at - plain));
		if (take(p, '"'))
			return 0;
		if (!take(p, '\\'))
			return refuse_here(p, "a control character in a string");
		TRY(read_escape(p));
	}
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static bool take_digits(struct parser *p)
{
	const char *before = p->at;

	while (peek(p) >= '0' && peek(p) <= '9')
		p->at++;
	return p->at > before;
}

static int read_number(struct parser *p, struct json **ret)
{
	const char *begin = p->at;
	enum json_type type = JSON_INT;

	(void)take(p, '-');
	if (!take(p, '0') && !take_digits(p))
		return refuse_here(p, p->at > begin ? "a digit is missing" : "a value is missing");
	if (take(p, '.')) {
		type = JSON_DOUBLE;
		if (!take_digits(p))
			return refuse_here(p, "a digit is missing");
	}
	if (take(p, 'e') || take(p, 'E')) {
		type = JSON_DOUBLE;
		if (!take(p, '-'))
			(void)take(p, '+');
		if (!take_digits(p))
			return refuse_here(p, "a digit is missing");
	}
	*ret = json_make_number(p->root, type, begin, (size_t)(p->at - begin));
	return 0;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
		return false;
	p->at += n;
	return true;
}

/* true, false, null, or a number. */
static int read_plain(struct parser *p, struct json **ret)
{
	static const char *const words[] = {"true", "false", "null"};

	*ret = NULL;
	if (take_word(p, "null"))
		return 0;
	if (take_word(p, "true") || take_word(p, "false")) {
		*ret = json_make_bool(p->root, p->at[-2] == 'u');
		return 0;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (p->at < p->end && !strncmp(p->at, words[i], (size_t)(p->end - p->at))) {
			p->at = p->end;
			break;
		}
	return read_number(p, ret);
}

static int read_value(struct parser *p, unsigned depth, struct json **ret);

static int read_array(struct parser *p, unsigned depth, struct json *array)
{
	skip_blanks(p);
	if (take(p, ']'))
		return 0;
	do {
		struct json *value = NULL;

		TRY(read_value(p, depth, &value));
		json_append(array, value);
		skip_blanks(p);
	} while (take(p, ','));
	return take(p, ']') ? 0 : refuse_here(p, "a comma or ] is missing in an array");
}

static int read_member(struct parser *p, unsigned depth, struct json *object)
{
	struct json *value = NULL;
	const char *name;

	skip_blanks(p);
	if (!take(p, '"'))
		return refuse_here(p, "a name in quotes is missing");
	TRY(read_string(p));
	if (memchr(buf_text(&p->text), 0, p->text.len))
		return refuse(p, "a name has a NUL character in it");
	name = json_keep(p->root, buf_text(&p->text), p->text.len);
	skip_blanks(p);
	if (!take(p, ':'))
		return refuse_here(p, "a colon is missing behind a name");
	TRY(read_value(p, depth, &value));
	json_put(object, name, value);
	return json_length(object) > MEMBERS_MAX ? refuse(p, "too many members in an object") : 0;
}

static int read_object(struct parser *p, unsigned depth, struct json *object)
{
	skip_blanks(p);
	if (take(p, '}'))
		return 0;
	do {
		TRY(read_member(p, depth, object));
		skip_blanks(p);
	} while (take(p, ','));
	return take(p, '}') ? 0 : refuse_here(p, "a comma or } is missing in an object");
}

static int read_value(struct parser *p, unsigned depth, struct json **ret)
{
	skip_blanks(p);
	if (take(p, '"')) {
		TRY(read_string(p));
		*ret = json_make_string(p->root, buf_text(&p->text), p->text.len);
		return 0;
	}
	if (peek(p) != '[' && peek(p) != '{')
		return read_plain(p, ret);
	if (depth == JSON_DEPTH)
		return refuse(p, "nested too deeply");
	if (take(p, '[')) {
		*ret = json_make(p->root, JSON_ARRAY);
		return read_array(p, depth + 1, *ret);
	}
	p->at++;
	*ret = json_make(p->root, JSON_OBJECT);
	return read_object(p, depth + 1, *ret);
}

static int read_document(struct parser *p, struct json **ret)
{
	const char *nul = memchr(p->start, 0, (size_t)(p->end - p->start));

	if (nul) {
		p->at = nul;
		return refuse(p, "a NUL byte is no JSON");
	}
	TRY(read_value(p, 0, ret));
	skip_blanks(p);
	return p->at == p->end ? 0 : refuse(p, "something stands behind the value");
}

int json_parse(const char *text, size_t len, const char *name, enum step_id step, struct json **ret, struct nook_error *e)
{
	AUTO(json_free) struct json *holder = json_new();
	struct parser p = {
		.at = text, .start = text, .end = text + len, .name = name, .step = step, .root = holder, .e = e};
	struct json *value = NULL;
	int r;

	if (len > INT_MAX - 1)
		return err_num(e, step, name, EFBIG);
	r = read_document(&p, &value);
	buf_done(&p.text);
	if (r < 0)
		return r;
	if (!value)
		return err_why(e, step, name, EINVAL, "null where an object was expected");
	/* Any value of a document frees all of it; the first one that was made has done its work. */
	*ret = value;
	(void)take_ptr(&holder);
	return 0;
}
