/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/digest.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>

const char *const digest_names[DIGEST_ALGORITHMS] = {[DIGEST_SHA256] = "sha256", [DIGEST_SHA512] = "sha512"};
const size_t digest_sizes[DIGEST_ALGORITHMS] = {[DIGEST_SHA256] = 32, [DIGEST_SHA512] = 64};

int digest_split(const char *text, const char **ret_hex)
{
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		const char *rest = text_after(text, digest_names[i]);

		if (!rest || *rest != ':')
			continue;
		*ret_hex = rest + 1;
		return i;
	}
	return -1;
}

int digest_algorithm_find(const char *name)
{
	for (int i = 0; i < DIGEST_ALGORITHMS; i++)
		if (text_is(digest_names[i], name))
			return i;
	return -1;
}

bool digest_is_valid(const char *text)
{
	const char *hex = NULL;
	int algorithm = text ? digest_split(text, &hex) : -1;
	size_t len = algorithm < 0 ? 0 : strspn(hex, "0123456789abcdef");

	return algorithm >= 0 && !hex[len] && len == 2 * digest_sizes[algorithm];
}

enum digest_algorithm digest_algorithm(const char *digest)
{
	const char *hex = NULL;

	return (enum digest_algorithm)digest_split(digest, &hex);
}

const char *digest_hex(const char *digest)
{
	return digest + strcspn(digest, ":") + 1;
}

const char *digest_referrers_tag(const char *digest, struct arena *a)
{
	const char *hex = NULL;
	int algorithm = digest_split(digest, &hex);

	assert(algorithm >= 0);
	return arena_printf(a, "%s-%.64s", digest_names[algorithm], hex);
}

void digest_text(enum digest_algorithm algorithm, const unsigned char *bytes, char ret[static DIGEST_TEXT_MAX])
{
	int len = snprintf(ret, DIGEST_TEXT_MAX, "%s:", digest_names[algorithm]);

	for (size_t i = 0; i < digest_sizes[algorithm]; i++)
		len += snprintf(ret + len, DIGEST_TEXT_MAX - (size_t)len, "%02x", bytes[i]);
}
