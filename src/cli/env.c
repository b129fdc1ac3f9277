/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/env.h"

#include "base/fd.h"

#include <string.h>

enum { ENV_FILE_MAX = 1 << 20 };

struct env {
	struct arena *arena;
	const char **list;
	size_t n;
};

static void env_add(struct env *env, const char *text)
{
	*arena_push(env->arena, &env->list, &env->n) = text;
}

static void env_set(struct env *env, const char *name, const char *value)
{
	env_add(env, arena_printf(env->arena, "%s=%s", name, value));
}

/* "NAME=VALUE", or "NAME" for the caller's value, which may be absent. */
static int env_option(struct env *env, const char *option, const char *text, struct nook_error *e)
{
	const char *value;

	if (!*text || *text == '=')
		return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%s\" has no name", text);
	if (strchr(text, '=')) {
		env_add(env, text);
		return 0;
	}
	value = getenv(text);
	if (value)
		env_set(env, text, value);
	return 0;
}

static int env_file(struct env *env, const char *path, struct nook_error *e)
{
	struct buf text = {0};
	char *save = NULL, *copy;
	int r = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, e);

	copy = arena_strndup(env->arena, buf_text(&text), text.len);
	buf_done(&text);
	if (r < 0)
		return r;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t");
		if (*line && *line != '#')
			TRY(env_option(env, path, line, e));
	}
	return 0;
}

int env_build(struct arena *a, const struct env_sources *from, const char *const **ret, struct nook_error *e)
{
	struct env env = {.arena = a};

	for (const char *const *v = from->base; v && *v; v++)
		env_add(&env, *v);
	if (from->base)
		env_add(&env, "container=nook");
	if (from->terminal) {
		const char *term = getenv("TERM");

		env_set(&env, "TERM", term && *term ? term : "xterm");
	}
	for (size_t i = 0; i < from->files.n; i++)
		TRY(env_file(&env, from->files.items[i], e));
	for (size_t i = 0; i < from->variables.n; i++)
		TRY(env_option(&env, "--env", from->variables.items[i], e));
	env_add(&env, NULL);
	*ret = env.list;
	return 0;
}
