/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/label.h"

#include "base/fd.h"
#include "base/text.h"

enum { MAX_CONTEXT = 4096 };

/* The parts of a context in their order; the level may hold further colons. */
enum part { USER, ROLE, TYPE, LEVEL, PARTS };
static const char *const part_names[PARTS] = {"user:", "role:", "type:", "level:"};

static void split(struct arena *a, const char *context, const char *parts[PARTS])
{
	for (int i = 0; i < PARTS; i++) {
		size_t len = i == LEVEL ? strlen(context) : strcspn(context, ":");

		parts[i] = arena_strndup(a, context, len);
		context += len + (context[len] == ':');
	}
}

static const char *join(struct arena *a, const char *const parts[PARTS])
{
	return arena_printf(a, "%s:%s:%s%s%s", parts[USER], parts[ROLE], parts[TYPE], *parts[LEVEL] ? ":" : "", parts[LEVEL]);
}

static const char *with_part(struct arena *a, const char *context, enum part part, const char *value)
{
	const char *parts[PARTS];

	split(a, context, parts);
	parts[part] = value;
	return join(a, parts);
}

/* Files carry the level of the processes that shall reach them. */
static const char *file_context(struct arena *a, const char *process, const char *type)
{
	const char *parts[PARTS];

	split(a, process, parts);
	parts[USER] = "system_u";
	parts[ROLE] = "object_r";
	parts[TYPE] = type;
	return join(a, parts);
}

static size_t colons(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == ':';
	return n;
}

int label_option(struct arena *a, const char *current, const char *text, struct label *l, struct nook_error *e)
{
	const char *type = text_after(text, "filetype:");

	if (text_is(text, "disable")) {
		*l = (struct label){0};
		return 0;
	}
	if (type && *type) {
		l->files = file_context(a, l->process ? l->process : current, type);
		return 0;
	}
	for (int i = 0; i < PARTS; i++) {
		const char *value = text_after(text, part_names[i]);

		if (!value || !*value)
			continue;
		l->process = with_part(a, l->process ? l->process : current, (enum part)i, value);
		if (i == LEVEL && l->files)
			l->files = with_part(a, l->files, LEVEL, value);
		return 0;
	}
	if (colons(text) < 2)
		return err_fmt(e, STEP_OPTION, "--security-opt", EINVAL,
			"label=\"%s\" is neither a context nor user:, role:, type:, level:, filetype: or disable", text);
	l->process = text;
	return 0;
}

int label_current(struct arena *a, const char **ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	TRY(file_read(AT_FDCWD, "/proc/self/attr/current", MAX_CONTEXT, &text, e));
	*ret = arena_strndup(a, buf_text(&text), strcspn(buf_text(&text), "\n"));
	return 0;
}
