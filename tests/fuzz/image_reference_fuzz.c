/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as the name of an image; what is taken is fit for paths and URLs, and reads the same again. */
#include "fuzz.h"
#include "image/digest.h"
#include "image/reference.h"

#include <string.h>

static void check_part(const char *text)
{
	MUST(*text && !strstr(text, "..") && !strstr(text, "//") && text[strcspn(text, " \t\n\r?#%\\@")] == 0);
	for (; *text; text++)
		MUST(*text > ' ' && *text < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	const char *text = arena_strndup(a, (const char *)data, size), *canonical;
	struct reference r = {0}, again = {0};

	if (reference_parse(text, a, &r, &e) < 0)
		return 0;
	check_part(r.registry);
	check_part(r.repository);
	if (r.tag)
		MUST(strlen(r.tag) <= REFERENCE_TAG_MAX && !strchr(r.tag, '/'));
	MUST(!r.digest || digest_is_valid(r.digest));
	MUST(r.tag || r.digest);
	canonical = reference_text(&r, a);
	MUST(reference_parse(canonical, a, &again, &e) == 0 && strcmp(reference_text(&again, a), canonical) == 0);
	MUST(*reference_familiar(canonical));
	return 0;
}
