/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Not getopt_long(3): that keeps its place in globals, takes any unambiguous abbreviation (so that a new option breaks
 * old scripts) and prints errors itself.
 */
#include "opt/opt.h"

#include "base/text.h"
#include "opt/nearest.h"

#include <assert.h>

/* A row that was found, with the struct its offset points into, and how it was spelt. */
struct found {
	const struct opt *row;
	char *target;
	const char *spelt;
};

struct parser {
	const struct opt *const *tables;
	void *const *targets;
	struct arena *arena;
	struct nook_error *e;
	char **argv;
	int argc;
	int at; /* the next argument to look at */
};

static bool takes_value(const struct opt *row)
{
	return row->type != OPT_FLAG && row->type != OPT_OPTIONAL;
}

static bool find_long(const struct parser *p, const char *name, size_t len, struct found *ret)
{
	for (size_t t = 0; p->tables[t]; t++)
		for (const struct opt *row = p->tables[t]; row->type != OPT_END; row++)
			if (row->type != OPT_SECTION && row->name && strlen(row->name) == len &&
			    memcmp(row->name, name, len) == 0) {
				*ret = (struct found){row, p->targets[t], arena_printf(p->arena, "--%s", row->name)};
				return true;
			}
	return false;
}

static bool find_letter(const struct parser *p, char letter, struct found *ret)
{
	for (size_t t = 0; p->tables[t]; t++)
		for (const struct opt *row = p->tables[t]; row->type != OPT_END; row++)
			if (row->type != OPT_SECTION && row->letter == letter) {
				*ret = (struct found){row, p->targets[t], arena_printf(p->arena, "-%c", letter)};
				return true;
			}
	return false;
}

static int unknown_long(const struct parser *p, const char *name, size_t len)
{
	const char *typed = arena_strndup(p->arena, name, len);
	struct nearest near = {.typed = typed};
	const char *object = arena_printf(p->arena, "--%s", typed);

	for (size_t t = 0; p->tables[t]; t++)
		for (const struct opt *row = p->tables[t]; row->type != OPT_END; row++)
			if (row->type != OPT_SECTION && row->name)
				nearest_offer(&near, row->name);
	if (near.word)
		return err_fmt(p->e, STEP_OPTION, object, EINVAL, "there is no such option; did you mean \"--%s\"?", near.word);
	return err_why(p->e, STEP_OPTION, object, EINVAL, "there is no such option");
}

static int bad_value(const struct parser *p, const struct found *f, const char *value, int r, const char *wanted)
{
	if (r == -ERANGE)
		return err_fmt(p->e, STEP_OPTION, f->spelt, ERANGE, "\"%.100s\" is out of range", value);
	return err_fmt(p->e, STEP_OPTION, f->spelt, EINVAL, "\"%.100s\" is not %s", value, wanted);
}

static int store_flag(const struct parser *p, const struct found *f, const char *value)
{
	bool *flag = (bool *)(f->target + f->row->offset);

	if (!value || text_is(value, "true") || text_is(value, "1"))
		*flag = true;
	else if (text_is(value, "false") || text_is(value, "0"))
		*flag = false;
	else
		return bad_value(p, f, value, -EINVAL, "true or false");
	return 0;
}

static void store_string(const struct parser *p, const struct found *f, const char *value)
{
	struct opt_list *list = (struct opt_list *)(f->target + f->row->offset);
	size_t room = list->n ? list->n + 1 : 0; /* with the NULL at the end */

	if (!room)
		(void)arena_push(p->arena, &list->items, &room);
	list->items[list->n++] = value;
	(void)arena_push(p->arena, &list->items, &room);
}

static int store_number(const struct parser *p, const struct found *f, const char *value)
{
	static const char *const wanted[] = {
		[OPT_U64] = "a number",
		[OPT_I64] = "a number",
		[OPT_BYTES] = "a size such as 512m",
		[OPT_DURATION] = "a time such as 10s or 1h30m",
	};
	struct opt_u64 *u = (struct opt_u64 *)(f->target + f->row->offset);
	struct opt_i64 *i = (struct opt_i64 *)(f->target + f->row->offset);
	enum opt_type type = f->row->type;
	uint64_t bytes = 0;
	int64_t number = 0;
	int r;

	assert(value); /* no row of these types has an optional value */
	if (type == OPT_U64) {
		r = text_u64(value, &bytes);
	} else if (type == OPT_BYTES) {
		bool unlimited = text_is(value, "-1");

		r = unlimited ? 0 : text_bytes(value, &bytes);
		if (r == 0 && bytes > INT64_MAX)
			r = -ERANGE;
		number = unlimited ? -1 : (int64_t)bytes;
	} else {
		r = type == OPT_DURATION ? text_duration(value, &number) : text_i64(value, &number);
	}
	if (r < 0)
		return bad_value(p, f, value, r, wanted[type]);
	if (type == OPT_U64)
		*u = (struct opt_u64){bytes, true};
	else
		*i = (struct opt_i64){number, true};
	return 0;
}

/* VALUE is NULL only for flags and optional values that had none. */
static int store(const struct parser *p, const struct found *f, const char *value)
{
	switch (f->row->type) {
	case OPT_FLAG:
		return store_flag(p, f, value);
	case OPT_STRING:
	case OPT_OPTIONAL:
		*(const char **)(f->target + f->row->offset) = value ? value : "";
		return 0;
	case OPT_STRINGS:
		store_string(p, f, value);
		return 0;
	default:
		return store_number(p, f, value);
	}
}

static int store_next(struct parser *p, const struct found *f)
{
	if (p->at >= p->argc)
		return err_fmt(p->e, STEP_OPTION, f->spelt, EINVAL, "needs a value: %s %s", f->spelt,
		               f->row->value ? f->row->value : "VALUE");
	return store(p, f, p->argv[p->at++]);
}

static int parse_long(struct parser *p, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	struct found f;

	if (!find_long(p, text, len, &f))
		return unknown_long(p, text, len);
	if (equals || !takes_value(f.row))
		return store(p, &f, equals ? equals + 1 : NULL);
	return store_next(p, &f);
}

static int parse_letters(struct parser *p, const char *text)
{
	for (; *text; text++) {
		struct found f;

		if (!find_letter(p, *text, &f))
			return err_why(p->e, STEP_OPTION, arena_printf(p->arena, "-%c", *text), EINVAL,
			               "there is no such option");
		if (f.row->type == OPT_FLAG && text[1] != '=') {
			TRY(store(p, &f, NULL));
			continue;
		}
		if (text[1]) /* -vVALUE, and -v=VALUE as docker takes it */
			return store(p, &f, text + 1 + (text[1] == '='));
		return takes_value(f.row) ? store_next(p, &f) : store(p, &f, NULL);
	}
	return 0;
}

int opt_parse(int argc, char **argv, const struct opt *const *tables, enum opt_mode mode, void *const *targets,
              struct arena *a, int *ret_first, struct nook_error *e)
{
	struct parser p = {tables, targets, a, e, argv, argc, 1};
	char **args = mode == OPT_PERMUTE && argc > 0 ? arena_new_n(a, char *, (size_t)argc) : NULL;
	int n_args = 0, kept;
	bool ended = false; /* a "--" was seen */

	while (p.at < argc && !ended && mode != OPT_RAW) {
		char *arg = argv[p.at];

		if (arg[0] != '-' || !arg[1]) {
			if (!args)
				break;
			args[n_args++] = arg;
			p.at++;
			continue;
		}
		p.at++;
		if (text_is(arg, "--"))
			ended = true;
		else
			TRY(arg[1] == '-' ? parse_long(&p, arg + 2) : parse_letters(&p, arg + 1));
	}
	if (mode == OPT_SOURCE && !ended && p.at + 1 < argc && text_is(argv[p.at + 1], "--")) {
		argv[p.at + 1] = argv[p.at];
		p.at++;
	}
	/* The options' places before the rest are free now: the arguments go there, in their order. */
	kept = p.at - n_args;
	if (n_args)
		memcpy(argv + kept, args, (size_t)n_args * sizeof(*args));
	*ret_first = argc > 0 ? kept : 0;
	return 0;
}
