/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as JSON; what is taken and has no NUL in a string reads back as what it was written. */
#include "fuzz.h"

#include "json/load.h"
#include "json/out.h"

#include <string.h>

static bool has_nul(const struct json *value)
{
	if (json_is(value, JSON_STRING))
		return memchr(json_string(value), 0, json_string_len(value));
	for (size_t i = 0; i < json_length(value); i++)
		if (has_nul(json_at(value, i)))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(buf_done) struct buf first = {0}, second = {0};
	AUTO(json_free) struct json *root = NULL, *again = NULL;

	if (json_parse((const char *)data, size, "fuzz", STEP_JSON, &root, &e) < 0 || has_nul(root))
		return 0;
	json_text(root, &first);
	MUST(json_parse(first.data, first.len, "again", STEP_JSON, &again, &e) == 0);
	json_text(again, &second);
	MUST(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	for (size_t i = 0; json_is(root, JSON_OBJECT) && i < json_length(root); i++) {
		struct json *found = NULL;

		MUST(json_find(root, json_key_at(root, i), &found) && found == json_at(root, i));
	}
	return 0;
}
