/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/box_more.h"

#include "base/fd.h"

#include <string.h>

/* Where profiles of the user's own are looked for (box/profile.c). */
static int profile_dir(struct arena *a, struct nook_error *e)
{
	const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
	const char *path = NULL;

	if (config && config[0] == '/')
		path = arena_printf(a, "%s/nook/box", config);
	else if (home && home[0] == '/')
		path = arena_printf(a, "%s/.config/nook/box", home);
	else
		return err_why(e, STEP_FILE, "profile", ENOENT, "neither XDG_CONFIG_HOME nor HOME says where profiles are kept");
	return dir_make(path, 0755, e);
}

int box_save(const char *name, const char *rules, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int dir = -EBADF;

	if (!*name || strchr(name, '/') || name[0] == '.')
		return err_why(e, STEP_OPTION, "--save", EINVAL, "the name of a profile has no slash and no dot in front");
	dir = TRY(profile_dir(a, e));
	return file_replace(dir, arena_printf(a, "%s.box", name), rules, strlen(rules), 0644, FILE_NO_SYNC, e);
}
