/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/kept.h"

static void add_name(struct buf *text, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c == 0x7f || c == '\\')
			buf_addf(text, "\\%03o", c);
		else
			buf_addc(text, *name);
	}
}

void kept_line(const struct change *c, const char *top, struct buf *text)
{
	buf_addf(text, "%c %s", change_letters[c->kind], top);
	add_name(text, c->path);
	if (S_ISDIR(c->mode))
		buf_addc(text, '/');
	if (c->link) {
		buf_adds(text, " -> ");
		add_name(text, c->link);
	}
	if (c->why)
		buf_addf(text, " (%s)", c->why);
	buf_addc(text, '\n');
}

int kept_open(struct cli *c, const char *path, struct keepdir *ret, int *ret_original, struct nook_error *e)
{
	TRY(keepdir_open(path, c->arena, ret, e));
	*ret_original = TRY(keepdir_original(ret, e));
	return 0;
}
