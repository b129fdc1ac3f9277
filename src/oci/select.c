/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/select.h"

#include <regex.h>

int oci_select(struct oci *o, struct store_run *r, const char *pattern, bool regex, const char ***ret, size_t *ret_n,
	struct nook_error *e)
{
	struct container *list = NULL;
	size_t n = 0;
	regex_t compiled;

	*ret = NULL;
	*ret_n = 0;
	if (!regex) {
		*arena_push(o->arena, ret, ret_n) = pattern;
		return 0;
	}
	TRY(container_list(r, o->arena, &list, &n, e));
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return err_why(e, STEP_OPTION, pattern, EINVAL, "is no regular expression");
	for (size_t i = 0; i < n; i++)
		if (regexec(&compiled, list[i].id, 0, NULL, 0) == 0)
			*arena_push(o->arena, ret, ret_n) = list[i].id;
	regfree(&compiled);
	return 0;
}
