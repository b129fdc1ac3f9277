/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/config.h"
#include "base/text.h"

struct reader {
	struct arena *arena;
	const char *name; /* of the file */
	const char *p;
	unsigned line;
};

enum token_type { TOKEN_END, TOKEN_WORD, TOKEN_MARK };

struct token {
	enum token_type type;
	const char *text; /* a word, or one of { } = ; */
	bool quoted;
};

static int wrong(const struct reader *r, const char *what, struct nook_error *e)
{
	return err_fmt(e, STEP_CONFIG, r->name, EINVAL, "line %u: %s", r->line, what);
}

static void skip_blanks(struct reader *r)
{
	for (;;) {
		size_t n = strspn(r->p, " \t\r");

		r->p += n;
		if (*r->p == '#')
			r->p += strcspn(r->p, "\n");
		if (*r->p != '\n')
			return;
		r->p++;
		r->line++;
	}
}

static int next_token(struct reader *r, struct token *ret, struct nook_error *e)
{
	static const char *const marks[] = {"{", "}", "=", ";"};
	size_t len;

	skip_blanks(r);
	*ret = (struct token){.type = TOKEN_END, .text = ""};
	if (!*r->p)
		return 0;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (*r->p == *marks[i]) {
			*ret = (struct token){.type = TOKEN_MARK, .text = marks[i]};
			r->p++;
			return 0;
		}
	if (*r->p == '"') {
		len = strcspn(r->p + 1, "\"");
		if (!r->p[len + 1])
			return wrong(r, "a quoted text has no end", e);
		*ret = (struct token){.type = TOKEN_WORD, .text = arena_strndup(r->arena, r->p + 1, len), .quoted = true};
		for (size_t i = 0; i < len; i++)
			r->line += r->p[i + 1] == '\n';
		r->p += len + 2;
		return 0;
	}
	len = strcspn(r->p, " \t\r\n{}=;\"#");
	*ret = (struct token){.type = TOKEN_WORD, .text = arena_strndup(r->arena, r->p, len)};
	r->p += len;
	return 0;
}

static bool is_mark(const struct token *t, char mark)
{
	return t->type == TOKEN_MARK && *t->text == mark;
}

static int expect_mark(struct reader *r, char mark, struct nook_error *e)
{
	struct token t;

	TRY(next_token(r, &t, e));
	if (is_mark(&t, mark))
		return 0;
	return err_fmt(e, STEP_CONFIG, r->name, EINVAL, "line %u: \"%c\" is missing before \"%.40s\"", r->line, mark, t.text);
}

/* "= value ;" */
static int read_value(struct reader *r, const char **ret, struct nook_error *e)
{
	struct token t;

	TRY(expect_mark(r, '=', e));
	TRY(next_token(r, &t, e));
	if (t.type != TOKEN_WORD)
		return wrong(r, "a value is missing", e);
	*ret = t.text;
	return expect_mark(r, ';', e);
}

/* Calls EACH for every "name = value;" up to the closing brace. */
static int read_values(struct reader *r, void *context,
                       int (*each)(struct reader *r, const char *name, const char *value, void *context, struct nook_error *e),
                       struct nook_error *e)
{
	TRY(expect_mark(r, '{', e));
	for (;;) {
		struct token t;
		const char *value = NULL;

		TRY(next_token(r, &t, e));
		if (is_mark(&t, '}'))
			return 0;
		if (t.type != TOKEN_WORD)
			return wrong(r, "the name of a file is missing", e);
		TRY(read_value(r, &value, e));
		TRY(each(r, t.text, value, context, e));
	}
}

static int add_value(struct reader *r, const char *name, const char *value, void *context, struct nook_error *e)
{
	struct config_controller *c = context;

	(void)e;
	*arena_push(r->arena, &c->values, &c->n) = (struct config_value){name, value};
	return 0;
}

struct owner {
	const char **uid, **gid;
};

static int set_owner(struct reader *r, const char *name, const char *value, void *context, struct nook_error *e)
{
	const struct owner *o = context;

	if (text_is(name, "uid"))
		*o->uid = value;
	else if (text_is(name, "gid"))
		*o->gid = value;
	else if (!text_is(name, "fperm") && !text_is(name, "dperm"))
		return wrong(r, "only uid, gid, fperm and dperm stand here", e);
	return 0;
}

static int read_perm(struct reader *r, struct config_perm *perm, struct nook_error *e)
{
	TRY(expect_mark(r, '{', e));
	for (;;) {
		struct owner o = {&perm->task_uid, &perm->task_gid};
		struct token t;

		TRY(next_token(r, &t, e));
		if (is_mark(&t, '}'))
			return 0;
		if (text_is(t.text, "admin"))
			o = (struct owner){&perm->admin_uid, &perm->admin_gid};
		else if (!text_is(t.text, "task"))
			return wrong(r, "only task and admin stand in perm", e);
		TRY(read_values(r, &o, set_owner, e));
	}
}

static int read_group(struct reader *r, struct config_group *g, struct nook_error *e)
{
	struct token t;

	TRY(next_token(r, &t, e));
	if (t.type != TOKEN_WORD || !*t.text)
		return wrong(r, "a group has no name", e);
	g->name = t.text;
	TRY(expect_mark(r, '{', e));
	for (;;) {
		TRY(next_token(r, &t, e));
		if (is_mark(&t, '}'))
			return 0;
		if (t.type != TOKEN_WORD)
			return wrong(r, "the name of a controller is missing", e);
		if (text_is(t.text, "perm")) {
			TRY(read_perm(r, &g->perm, e));
			continue;
		}
		struct config_controller c = {.name = t.text};

		TRY(read_values(r, &c, add_value, e));
		*arena_push(r->arena, &g->controllers, &g->n) = c;
	}
}

static int pass_over(struct reader *r, const char *name, const char *value, void *context, struct nook_error *e)
{
	return 0;
}

int config_parse(struct arena *a, const char *name, const char *text, struct config_file *ret, struct nook_error *e)
{
	struct reader r = {.arena = a, .name = name, .p = text, .line = 1};
	struct config_file f = {0};

	for (;;) {
		struct token t;

		TRY(next_token(&r, &t, e));
		if (t.type == TOKEN_END)
			break;
		if (t.type == TOKEN_WORD && text_is(t.text, "group")) {
			struct config_group g = {0};

			TRY(read_group(&r, &g, e));
			*arena_push(a, &f.groups, &f.n) = g;
		} else if (t.type == TOKEN_WORD && (text_is(t.text, "mount") || text_is(t.text, "namespace"))) {
			TRY(read_values(&r, NULL, pass_over, e));
		} else {
			return err_fmt(e, STEP_CONFIG, name, EINVAL, "line %u: \"%.40s\" is none of group, mount, namespace", r.line, t.text);
		}
	}
	*ret = f;
	return 0;
}

/* ---- printing ------------------------------------------------------------------------------------------------------- */

static void print_word(const char *text, struct buf *out)
{
	bool is_plain = *text && !strpbrk(text, " \t\r\n{}=;\"#");

	buf_addf(out, "%s%s%s", is_plain ? "" : "\"", text, is_plain ? "" : "\"");
}

static void print_perm(const struct config_perm *p, struct buf *out)
{
	if (!p->task_uid && !p->admin_uid)
		return;
	buf_adds(out, "\tperm {\n");
	if (p->admin_uid)
		buf_addf(out, "\t\tadmin {\n\t\t\tuid = %s;\n\t\t\tgid = %s;\n\t\t}\n", p->admin_uid, p->admin_gid ? p->admin_gid : "0");
	if (p->task_uid)
		buf_addf(out, "\t\ttask {\n\t\t\tuid = %s;\n\t\t\tgid = %s;\n\t\t}\n", p->task_uid, p->task_gid ? p->task_gid : "0");
	buf_adds(out, "\t}\n");
}

void config_print(const struct config_file *f, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct config_group *g = &f->groups[i];

		buf_adds(out, "group ");
		print_word(g->name, out);
		buf_adds(out, " {\n");
		print_perm(&g->perm, out);
		for (size_t k = 0; k < g->n; k++) {
			const struct config_controller *c = &g->controllers[k];

			buf_addc(out, '\t');
			print_word(c->name, out);
			buf_adds(out, " {\n");
			for (size_t v = 0; v < c->n; v++)
				buf_addf(out, "\t\t%s = \"%s\";\n", c->values[v].file, c->values[v].value);
			buf_adds(out, "\t}\n");
		}
		buf_adds(out, "}\n\n");
	}
}
