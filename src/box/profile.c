/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles: files of rules.  Never from the current directory unless the name says so. */
#include "box/box.h"

#include "base/fd.h"
#include "base/text.h"
#include "sys/selfexe.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

enum { PROFILE_MAX = 1 << 20, DEPTH_MAX = 8, PLACES = 3 };

const char *box_own_dir(struct arena *a)
{
	char path[PATH_MAX];
	const char *slash;
	Dl_info info;

	if (dladdr((void *)(uintptr_t)box_own_dir, &info) && info.dli_fname && info.dli_fname[0] == '/') {
		slash = strrchr(info.dli_fname, '/');
		return arena_strndup(a, info.dli_fname, (size_t)(slash - info.dli_fname));
	}
	return selfexe_dir(path, sizeof(path), NULL) < 0 ? NULL : arena_strdup(a, path);
}

static void places(struct nook_box *b, const char *name, const char *ret[PLACES + 1])
{
	const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME"), *own = box_own_dir(b->arena);
	size_t n = 0;

	if (config && config[0] == '/')
		ret[n++] = arena_printf(b->arena, "%s/nook/box/%s.box", config, name);
	else if (home && home[0] == '/')
		ret[n++] = arena_printf(b->arena, "%s/.config/nook/box/%s.box", home, name);
	ret[n++] = arena_printf(b->arena, "%s/%s.box", NOOK_PROFILES, name);
	/* Not installed: the source tree's, beside the build directory. */
	if (own && !getauxval(AT_SECURE))
		ret[n++] = arena_printf(b->arena, "%s/../share/box/%s.box", own, name);
	ret[n] = NULL;
}

static int read_profile(struct nook_box *b, const char *name, struct buf *text, struct nook_error *e)
{
	const char *list[PLACES + 1];
	size_t len = strlen(name);

	if (strchr(name, '/') || (len > 4 && text_is(name + len - 4, ".box")))
		return file_read(AT_FDCWD, name, PROFILE_MAX, text, e);
	places(b, name, list);
	for (size_t i = 0; list[i]; i++) {
		int r = file_read(AT_FDCWD, list[i], PROFILE_MAX, text, e);

		if (r != -ENOENT)
			return r;
	}
	return err_why(e, STEP_FILE, name, ENOENT, "there is no profile of this name");
}

int box_add_profile(struct nook_box *b, const char *name, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r;

	if (b->depth == DEPTH_MAX)
		return err_why(e, STEP_FILE, name, ELOOP, "profiles stand in profiles more than eight deep");
	TRY(read_profile(b, name, &text, e));
	b->depth++;
	r = box_add_text(b, buf_text(&text), e);
	b->depth--;
	/* A refused rule is best found by the file and its line. */
	if (r < 0 && e && e->rule && e->detail[0]) {
		char why[NOOK_DETAIL_MAX];

		(void)snprintf(why, sizeof(why), "%.80s:%d: %.150s", name, e->rule, e->detail);
		err_detail(e, why);
	}
	return r;
}
