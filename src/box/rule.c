/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/rule.h"

#include "base/path.h"
#include "box/box.h"

#include <string.h>

int rule_refuse(const char *value, const char *why, struct nook_error *e)
{
	return err_why(e, STEP_OPTION, value, EINVAL, why);
}

int rule_path(struct nook_box *b, const char *path, const char **ret, struct nook_error *e)
{
	char *whole;

	if (!*path)
		return rule_refuse(path, "the path is empty", e);
	if (path[0] != '/' && !b->base)
		return rule_refuse(path, "it is relative, and the current directory has no path", e);
	whole = arena_printf(b->arena, "%s/%s", path[0] == '/' ? "" : b->base, path);
	path_clean(whole);
	*ret = whole;
	return 0;
}

int rule_each_word(struct nook_box *b, const char *value, int (*each)(struct nook_box *b, char *word, struct nook_error *e),
	struct nook_error *e)
{
	char *words = arena_strdup(b->arena, value), *rest = NULL;

	if (!*value)
		return rule_refuse(value, "the list is empty", e);
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		TRY(each(b, word, e));
	return 0;
}
