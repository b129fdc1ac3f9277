/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/options.h"

#include "base/text.h"
#include "image/reference.h"

int option_compression(const char *text, enum compression *ret, struct nook_error *e)
{
	*ret = COMPRESSION_GZIP;
	if (!text)
		return 0;
	for (int i = 0; i < COMPRESSIONS; i++)
		if (text_is(text, compression_names[i])) {
			*ret = (enum compression)i;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, "--compression", EINVAL, "\"%.40s\" is none of gzip, zstd and none", text);
}

int option_bool(const char *name, const char *text, bool *ret, struct nook_error *e)
{
	*ret = !text || !*text || text_is(text, "true") || text_is(text, "1");
	if (*ret || text_is(text, "false") || text_is(text, "0"))
		return 0;
	return err_fmt(e, STEP_OPTION, name, EINVAL, "\"%.40s\" is not true or false", text);
}

int option_name(const char *text, struct arena *a, const char **ret, struct nook_error *e)
{
	struct reference r;

	TRY(reference_parse(text, a, &r, e));
	if (r.digest)
		return err_why(e, STEP_IMAGE, text, EINVAL, "has a digest, which only what is in an image can give it");
	*ret = reference_text(&r, a);
	return 0;
}
