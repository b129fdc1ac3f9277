/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.json to struct spec; what is accepted must be written and read again to the same text. */
#include "bundle/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_text(const char *text, size_t len, struct spec *s)
{
	AUTO(json_free) struct json *root = NULL;
	struct nook_error e = NOOK_ERROR_INIT;

	TRY(json_parse(text, len, "config.json", STEP_CONFIG, &root, &e));
	TRY(config_read(root, s, &e));
	(void)spec_check(s, &e);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(spec_free) struct spec *first = spec_new(), *second = spec_new();
	AUTO_VALUE(buf_done) struct buf once = {0}, twice = {0};

	if (read_text((const char *)data, size, first) < 0)
		return 0;
	config_text(first, JSON_PLAIN, &once);
	if (read_text(once.data, once.len, second) < 0)
		abort();
	config_text(second, JSON_PLAIN, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
	return 0;
}
