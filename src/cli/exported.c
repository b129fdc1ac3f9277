/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/exported.h"

#include "base/text.h"
#include "stream/header.h"

/* A comment may be anybody's: git writes some, too. */
#define MARK "nook export "

int exported_write(int fd, const char *config, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	buf_addf(&text, MARK "%s", config);
	return entry_write_comment(fd, buf_text(&text), e);
}

const char *exported_comment(int file, struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const char *config;

	if (!entry_find_comment(file, &text))
		return NULL;
	config = text_after(buf_text(&text), MARK);
	return config ? arena_strdup(a, config) : NULL;
}
