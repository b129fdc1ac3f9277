/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/shut_in.h"

#include "base/fd.h"
#include "transfer/walls.h"

int shut_in(struct cli *c, const char *read_from, struct starter *s, struct nook_error *e)
{
	static const char *const no_files[] = {NULL};
	const struct walls w = {.images = arena_printf(c->arena, "%s/images", c->root), .auth_files = no_files, .read_from = read_from};
	const char *missing = NULL;

	TRY(starter_start(s, c->root, e));
	/* Only what is there can be let through. */
	close_fd(&(int){TRY(dir_make(w.images, 0700, e))});
	TRY(walls_raise(&w, c->arena, &missing, e));
	if (missing)
		cli_debug(c, "what reads the archive is not kept from files by Landlock: %s", missing);
	return 0;
}
