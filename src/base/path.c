/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"

#include "base/text.h"

#include <assert.h>

void path_clean(char *path)
{
	char *to = path;

	assert(path[0] == '/');
	for (const char *from = path; *from;) {
		size_t len;

		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (len == 2 && !strncmp(from, "..", 2)) {
			while (to > path && *--to != '/')
				;
		} else if (len && !(len == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

const char *path_below(const char *path, const char *dir)
{
	const char *rest = text_after(path, dir);

	if (!rest || !*rest)
		return rest;
	if (*dir && dir[strlen(dir) - 1] == '/')
		return rest;
	return *rest == '/' ? rest + 1 : NULL;
}
