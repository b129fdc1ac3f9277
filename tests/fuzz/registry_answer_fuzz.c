/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: the first byte chooses what the rest is: Www-Authenticate, Link, an error, a token, a list, a search. */
#include "base/text.h"
#include "fuzz.h"
#include "registry/answer.h"
#include "registry/challenge.h"
#include "registry/credentials.h"

#include <ctype.h>

static void challenge(const char *text, struct arena *a)
{
	struct challenge *list = NULL;
	size_t n = 0;

	challenge_parse(text, a, &list, &n);
	MUST(n <= CHALLENGES_MAX);
	for (size_t i = 0; i < n; i++)
		MUST(list[i].scheme <= CHALLENGE_BEARER && (!list[i].realm || strlen(list[i].realm) <= strlen(text)));
}

static void token(const char *text, size_t size, struct arena *a)
{
	const char *found = NULL;

	if (answer_token(text, size, "x", a, &found, NULL) < 0)
		return;
	MUST(found && *found);
	for (; *found; found++)
		MUST(isgraph((unsigned char)*found));
}

static void credentials(const char *text, struct arena *a)
{
	struct credentials c = {0};

	if (credentials_decode(text, a, &c) == 0)
		MUST(c.username && c.password && !strchr(c.username, ':') && !strpbrk(c.password, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct answer_found *found = NULL;
	const char **names = NULL, *text, *words;
	size_t n = 0;

	if (!size)
		return 0;
	text = arena_strndup(a, (const char *)data + 1, size - 1);
	size = strlen(text);
	switch (data[0] % 7) {
	case 0:
		challenge(text, a);
		break;
	case 1:
		words = answer_next(text, a);
		MUST(!words || strlen(words) < size);
		break;
	case 2:
		words = answer_error(text, size, a);
		MUST(!words || (*words && !words[strcspn(words, "\n\r\033")]));
		break;
	case 3:
		token(text, size, a);
		break;
	case 4:
		(void)answer_names(text, size, ANSWER_TAGS, "x", a, &names, &n, NULL);
		break;
	case 5:
		if (answer_search(text, size, "x", a, &found, &n, NULL) == 0)
			for (size_t i = 0; i < n; i++)
				MUST(found[i].name);
		break;
	default:
		credentials(text, a);
	}
	return 0;
}
