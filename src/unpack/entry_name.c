/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/entry_name.h"

#include <string.h>

const char *entry_name_parse(const char *name, unsigned max_depth, struct entry_name *ret)
{
	size_t len = 0, cut = 0, n;
	unsigned depth = 0;

	if (!*name)
		return "has an empty name";
	for (; *name; name += n) {
		name += strspn(name, "/");
		n = strcspn(name, "/");
		if (n == 0 || (n == 1 && name[0] == '.'))
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.')
			return "has \"..\" in its name";
		if (n > NAME_MAX)
			return "has a component of more than 255 bytes";
		if (len + 1 + n >= sizeof(ret->full))
			return "has a name of more than 4095 bytes";
		if (++depth > max_depth)
			return "lies too deep";
		cut = len;
		if (len)
			ret->full[len++] = '/';
		memcpy(ret->full + len, name, n);
		len += n;
	}
	ret->full[len] = 0;
	memcpy(ret->dir, ret->full, cut);
	ret->dir[cut] = 0;
	n = cut ? cut + 1 : 0;
	memcpy(ret->last, ret->full + n, len - n + 1);
	return NULL;
}
