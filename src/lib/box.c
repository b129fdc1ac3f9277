/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libnook: boxes.  What the functions mean stands in nook.h. */
#include "base/buf.h"
#include "base/text.h"
#include "box/box.h"

#include <stdio.h>

uint32_t nook_version(void)
{
	unsigned major = 0, minor = 0, patch = 0;

	(void)sscanf(NOOK_VERSION, "%u.%u.%u", &major, &minor, &patch);
	return major << 16 | minor << 8 | patch;
}

int nook_host_probe(struct nook_host *ret, struct nook_error *e)
{
	return box_host_probe(ret, e);
}

struct nook_box *nook_box_new(void)
{
	return box_new();
}

struct nook_box *nook_box_clone(const struct nook_box *box)
{
	struct nook_box *copy = NULL;

	(void)box_clone(box, &copy, NULL);
	return copy;
}

void nook_box_free(struct nook_box *box)
{
	box_free(box);
}

int nook_box_rules(struct nook_box *box, const char *text, struct nook_error *e)
{
	return box_add_text(box, text, e);
}

int nook_box_rule(struct nook_box *box, const char *word, const char *value, struct nook_error *e)
{
	return box_add_word(box, word, value, e);
}

/* A path as a rule spells it: what would end it is escaped. */
static void add_escaped(struct buf *to, const char *path)
{
	for (; *path; path++) {
		if (*path == ':')
			buf_addc(to, '\\');
		buf_addc(to, *path);
	}
}

int nook_box_bind(struct nook_box *box, unsigned flags, const char *source, const char *target, struct nook_error *e)
{
	static const struct {
		unsigned flags;
		enum box_word word;
	} words[] = {{NOOK_READ_ONLY, BOX_RO}, {NOOK_WRITABLE, BOX_RW}, {NOOK_DEVICES, BOX_DEV}, {NOOK_DEVICES | NOOK_WRITABLE, BOX_DEV}, {NOOK_IF_EXISTS, BOX_IF_EXISTS}};
	AUTO_VALUE(buf_done) struct buf value = {0};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].flags != flags)
			continue;
		add_escaped(&value, source);
		if (target)
			buf_addf(&value, ":%s", target);
		return box_add(box, words[i].word, buf_text(&value), e);
	}
	return err_why(e, STEP_OPTION, source, EINVAL, "these flags do not go together");
}

int nook_box_limit(struct nook_box *box, const char *name, uint64_t value, struct nook_error *e)
{
	int r = box_limit_set(box, name, value);

	if (r == -ENOENT)
		return err_why(e, STEP_OPTION, name, ENOENT, "there is no such limit");
	return r < 0 ? err_why(e, STEP_OPTION, name, ERANGE, "the value is out of range") : 0;
}

int nook_box_env(struct nook_box *box, const char *name, const char *value, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (strchr(name, '='))
		return err_why(e, STEP_OPTION, name, EINVAL, "the name of a variable holds no =");
	buf_adds(&text, name);
	if (value)
		buf_addf(&text, "=%s", value);
	return box_add(box, BOX_ENV, buf_text(&text), e);
}

int nook_box_put(struct nook_box *box, const char *target, const void *data, size_t size, struct nook_error *e)
{
	return box_add_file(box, target, data, size, e);
}

int nook_box_fd(struct nook_box *box, int fd, int as, struct nook_error *e)
{
	return box_add_fd(box, fd, as, e);
}

int nook_box_enter(const struct nook_box *box, struct nook_error *e)
{
	return box_enter(box, e);
}

int nook_box_explain(const struct nook_box *box, const char *const argv[], enum nook_format format, char **ret,
	struct nook_error *e)
{
	static const enum plan_format formats[] = {[NOOK_TEXT] = PLAN_TEXT, [NOOK_WHY] = PLAN_WHY, [NOOK_JSON] = PLAN_JSON};
	AUTO(arena_free) struct arena *a = arena_new();
	struct box_plan plan = {0};
	struct buf text = {0};

	if ((unsigned)format > NOOK_JSON)
		return err_why(e, STEP_OPTION, "format", EINVAL, "it is text, why or JSON");
	TRY(box_compile(box, argv, a, &plan, e));
	plan_print(plan.plan, formats[format], &text);
	plan_free(plan.plan);
	*ret = text.data ? text.data : xstrdup("");
	return 0;
}
