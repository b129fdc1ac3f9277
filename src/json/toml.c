/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/toml.h"

#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>

enum { DEPTH_MAX = 32, KEY_PARTS = 16, KEY_MAX = 1024, KEYS_MAX = 65536 };

struct toml {
	const char *at, *end;
	unsigned line, n_keys;
	const char *name;
	enum step_id step;
	struct json *root;
	struct nook_error *e;
};

static int refuse(struct toml *t, const char *why)
{
	char where[NOOK_OBJECT_MAX];

	(void)snprintf(where, sizeof(where), "%s:%u", t->name, t->line);
	return err_why(t->e, t->step, where, EINVAL, why);
}

/* ---- characters ---------------------------------------------------------------------------------------------------- */

static int peek(const struct toml *t)
{
	return t->at < t->end ? (unsigned char)*t->at : -1;
}

static bool starts(const struct toml *t, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(t->end - t->at) >= n && memcmp(t->at, text, n) == 0;
}

static bool take(struct toml *t, const char *text)
{
	if (!starts(t, text))
		return false;
	t->at += strlen(text);
	return true;
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

static void skip_comment(struct toml *t)
{
	if (peek(t) == '#')
		while (t->at < t->end && *t->at != '\n')
			t->at++;
}

static bool take_newline(struct toml *t)
{
	if (!take(t, "\r\n") && !take(t, "\n"))
		return false;
	t->line++;
	return true;
}

static void skip_lines(struct toml *t)
{
	do {
		skip_blanks(t);
		skip_comment(t);
	} while (take_newline(t));
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

static int read_unicode(struct toml *t, int digits, struct buf *b)
{
	uint32_t c = 0;

	for (int i = 0; i < digits; i++, t->at++) {
		if (!isxdigit(peek(t)))
			return refuse(t, "\\u wants hexadecimal digits");
		c = c << 4 | (uint32_t)(isdigit(peek(t)) ? peek(t) - '0' : (peek(t) | 0x20) - 'a' + 10);
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return refuse(t, "\\u stands for no character");
	buf_add_utf8(b, c);
	return 0;
}

static int read_escape(struct toml *t, bool is_long, struct buf *b)
{
	static const char letters[] = "btnfre\"\\", values[] = "\b\t\n\f\r\033\"\\";
	const char *found = peek(t) > 0 ? strchr(letters, peek(t)) : NULL;

	if (found) {
		t->at++;
		buf_addc(b, values[found - letters]);
		return 0;
	}
	if (take(t, "u"))
		return read_unicode(t, 4, b);
	if (take(t, "U"))
		return read_unicode(t, 8, b);
	if (!is_long)
		return refuse(t, "unknown escape in a string");
	/* A backslash at the end of a line swallows all blanks up to the next word. */
	skip_blanks(t);
	if (!take_newline(t))
		return refuse(t, "unknown escape in a string");
	do
		skip_blanks(t);
	while (take_newline(t));
	return 0;
}

/* Behind the opening QUOTE (one or three of them). */
static int read_quoted(struct toml *t, const char *quote, struct buf *b)
{
	bool is_long = quote[1], is_literal = quote[0] == '\'';

	if (is_long)
		(void)take_newline(t);
	while (t->at < t->end) {
		if (starts(t, quote)) {
			/* """" is a quote before the end. */
			while (is_long && t->end - t->at > 3 && t->at[3] == quote[0])
				buf_addc(b, *t->at++);
			(void)take(t, quote);
			return 0;
		}
		if (is_long && take_newline(t)) {
			buf_addc(b, '\n');
		} else if (!is_literal && take(t, "\\")) {
			int r = read_escape(t, is_long, b);

			if (r < 0)
				return r;
		} else if (((unsigned char)*t->at < ' ' && *t->at != '\t') || *t->at == 127) {
			return refuse(t, "a control character in a string");
		} else {
			buf_addc(b, *t->at++);
		}
	}
	return refuse(t, "a string without end");
}

static const char *opening_quote(struct toml *t)
{
	static const char *const quotes[] = {"\"\"\"", "'''", "\"", "'"};

	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
		if (take(t, quotes[i]))
			return quotes[i];
	return NULL;
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

struct key {
	struct buf text; /* parts, each ended by a zero byte */
	size_t n;
};

static void key_done(struct key *k)
{
	buf_done(&k->text);
}

static bool is_bare(int c)
{
	return isalnum(c) || c == '_' || c == '-';
}

static int read_key_part(struct toml *t, struct key *k)
{
	size_t before = k->text.len;
	const char *quote = opening_quote(t);

	if (quote && quote[1])
		return refuse(t, "a key of several lines");
	if (quote) {
		int r = read_quoted(t, quote, &k->text);

		if (r < 0)
			return r;
	} else {
		while (t->at < t->end && is_bare(peek(t)))
			buf_addc(&k->text, *t->at++);
		if (k->text.len == before)
			return refuse(t, "a key is missing");
	}
	if (k->text.len - before > KEY_MAX)
		return refuse(t, "a key is too long");
	if (++t->n_keys > KEYS_MAX)
		return refuse(t, "too many keys");
	buf_addc(&k->text, 0);
	k->n++;
	return 0;
}

static int read_key(struct toml *t, struct key *k)
{
	do {
		if (k->n == KEY_PARTS)
			return refuse(t, "a key of too many parts");
		skip_blanks(t);
		int r = read_key_part(t, k);

		if (r < 0)
			return r;
		skip_blanks(t);
	} while (take(t, "."));
	return 0;
}

/* The table (or the last element of an array of tables) NAME in PARENT, made if absent; NULL when it is something else. */
static struct json *child_table(struct toml *t, struct json *parent, const char *name)
{
	struct json *found = NULL;

	if (!json_find(parent, name, &found)) {
		found = json_make(t->root, JSON_OBJECT);
		json_set(parent, name, found);
	}
	if (json_is(found, JSON_ARRAY)) {
		size_t n = json_length(found);

		found = n ? json_at(found, n - 1) : NULL;
	}
	return json_is(found, JSON_OBJECT) ? found : NULL;
}

/* The table that holds K's last part; *ret_name is that part. */
static int descend(struct toml *t, struct json *top, const struct key *k, struct json **ret, const char **ret_name)
{
	const char *part = k->text.data;

	for (size_t i = 0; i + 1 < k->n; i++, part += strlen(part) + 1) {
		top = child_table(t, top, part);
		if (!top)
			return refuse(t, "a key is used as a table and as a value");
	}
	*ret = top;
	*ret_name = part;
	return 0;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static int read_value(struct toml *t, unsigned depth, struct json **ret);

static int read_array(struct toml *t, unsigned depth, struct json **ret)
{
	struct json *array = json_make(t->root, JSON_ARRAY);

	for (;;) {
		struct json *value = NULL;

		skip_lines(t);
		if (take(t, "]"))
			break;
		int r = read_value(t, depth + 1, &value);

		if (r < 0)
			return r;
		json_append(array, value);
		if (++t->n_keys > KEYS_MAX)
			return refuse(t, "too many values");
		skip_lines(t);
		if (take(t, "]"))
			break;
		if (!take(t, ","))
			return refuse(t, "a comma or ] is missing in an array");
	}
	*ret = array;
	return 0;
}

static int read_pair(struct toml *t, unsigned depth, struct json *table)
{
	__attribute__((cleanup(key_done))) struct key k = {0};
	struct json *value = NULL, *holder = NULL;
	const char *name = NULL;
	int r = read_key(t, &k);

	if (r < 0)
		return r;
	if (!take(t, "="))
		return refuse(t, "= is missing behind a key");
	skip_blanks(t);
	r = descend(t, table, &k, &holder, &name);
	if (r < 0)
		return r;
	if (json_find(holder, name, NULL))
		return refuse(t, "a key is given twice");
	r = read_value(t, depth + 1, &value);
	if (r < 0)
		return r;
	json_set(holder, name, value);
	return 0;
}

static int read_inline_table(struct toml *t, unsigned depth, struct json **ret)
{
	struct json *table = json_make(t->root, JSON_OBJECT);

	skip_blanks(t);
	while (!take(t, "}")) {
		int r = read_pair(t, depth, table);

		if (r < 0)
			return r;
		skip_blanks(t);
		if (take(t, ","))
			skip_blanks(t);
		else if (peek(t) != '}')
			return refuse(t, "a comma or } is missing in a table");
	}
	*ret = table;
	return 0;
}

/* Integers of all bases, with underscores, and decimal fractions. */
static int read_number(struct toml *t, struct json **ret)
{
	const char *digits;
	char text[64], *end = NULL;
	size_t n = 0;

	while (t->at < t->end && (isalnum(peek(t)) || strchr("+-._:", peek(t)))) {
		if (n == sizeof(text) - 1)
			return refuse(t, "a number is too long");
		if (*t->at != '_')
			text[n++] = *t->at;
		t->at++;
	}
	text[n] = 0;
	digits = text + (text[0] == '+' || text[0] == '-');
	if (!isdigit((unsigned char)*digits))
		return refuse(t, "a value is missing");
	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o' || digits[1] == 'b')) {
		int base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;

		errno = 0;
		unsigned long long value = strtoull(digits + 2, &end, base);

		if (digits != text || !isxdigit((unsigned char)digits[2]) || *end || errno || value > INT64_MAX)
			return refuse(t, "a number that cannot be read");
		*ret = json_make_i64(t->root, (int64_t)value);
		return 0;
	}
	if (!digits[strspn(digits, "0123456789")]) {
		int64_t value = 0;

		if (text_i64(text, &value) < 0)
			return refuse(t, "a number that cannot be read");
		*ret = json_make_i64(t->root, value);
		return 0;
	}
	if (digits[strspn(digits, "0123456789.eE+-")])
		return refuse(t, "a value that is neither string, number, true, false, array nor table");
	double value = strtod(text, &end);

	if (*end || value > 1e300 || value < -1e300)
		return refuse(t, "a number that cannot be read");
	*ret = json_make_double(t->root, value);
	return 0;
}

static int read_value(struct toml *t, unsigned depth, struct json **ret)
{
	const char *quote;

	if (depth > DEPTH_MAX)
		return refuse(t, "nested too deeply");
	quote = opening_quote(t);
	if (quote) {
		AUTO_VALUE(buf_done) struct buf text = {0};
		int r = read_quoted(t, quote, &text);

		if (r < 0)
			return r;
		*ret = json_make_string(t->root, buf_text(&text), text.len);
		return 0;
	}
	if (take(t, "["))
		return read_array(t, depth, ret);
	if (take(t, "{"))
		return read_inline_table(t, depth, ret);
	bool is_true = take(t, "true");

	if (!is_true && !take(t, "false"))
		return read_number(t, ret);
	if (is_bare(peek(t)))
		return refuse(t, "a value is missing");
	*ret = json_make_bool(t->root, is_true);
	return 0;
}

/* ---- the document -------------------------------------------------------------------------------------------------- */

/* [table] or [[array of tables]], behind the first bracket; *ret is where the lines below it go. */
static int read_header(struct toml *t, struct json *root, struct json **ret)
{
	__attribute__((cleanup(key_done))) struct key k = {0};
	struct json *holder = NULL, *found = NULL, *element;
	bool is_array = take(t, "[");
	const char *name = NULL;
	int r = read_key(t, &k);

	if (r < 0)
		return r;
	if (!take(t, is_array ? "]]" : "]"))
		return refuse(t, "] is missing");
	r = descend(t, root, &k, &holder, &name);
	if (r < 0)
		return r;
	if (!is_array) {
		*ret = json_find(holder, name, &found) && json_is(found, JSON_ARRAY)
			? NULL : child_table(t, holder, name);
		return *ret ? 0 : refuse(t, "a key is used as a table and as a value");
	}
	if (!json_find(holder, name, &found)) {
		found = json_make(t->root, JSON_ARRAY);
		json_set(holder, name, found);
	}
	if (!json_is(found, JSON_ARRAY))
		return refuse(t, "a key is used as a table and as a value");
	element = json_make(t->root, JSON_OBJECT);
	json_append(found, element);
	*ret = element;
	return 0;
}

int toml_parse(const char *text, size_t len, const char *name, enum step_id step, struct json **ret, struct nook_error *e)
{
	AUTO(json_free) struct json *root = json_new();
	struct toml t = {.at = text, .end = text + len, .line = 1, .name = name, .step = step, .root = root, .e = e};
	struct json *table = root;

	if (len > JSON_LIMIT)
		return err_num(e, step, name, EFBIG);
	if (memchr(text, 0, len))
		return refuse(&t, "a zero byte");
	(void)take(&t, "\xef\xbb\xbf");
	for (;;) {
		skip_lines(&t);
		if (t.at == t.end)
			break;
		TRY(take(&t, "[") ? read_header(&t, root, &table) : read_pair(&t, 0, table));
		skip_blanks(&t);
		skip_comment(&t);
		if (t.at < t.end && !take_newline(&t))
			return refuse(&t, "something stands behind the value");
	}
	*ret = take_ptr(&root);
	return 0;
}
