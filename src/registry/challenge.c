/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"

#include "base/buf.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct word {
	const char *text;
	size_t len;
};

static bool word_is(const struct word *w, const char *name)
{
	return strlen(name) == w->len && strncasecmp(w->text, name, w->len) == 0;
}

static const char *skip(const char *at, const char *set)
{
	return at + strspn(at, set);
}

/* A token of RFC 9110; an empty one when there is none. */
static struct word take_token(const char **at)
{
	const char *begin = *at;

	while (isalnum((unsigned char)**at) || (**at && strchr("!#$%&'*+-.^_`|~", **at)))
		(*at)++;
	return (struct word){begin, (size_t)(*at - begin)};
}

/* A quoted string, or up to the next comma or blank; NULL for a string without end. */
static const char *take_value(const char **at, struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const char *p = *at;

	if (*p != '"') {
		size_t len = strcspn(p, ", \t");

		*at = p + len;
		return arena_strndup(a, p, len);
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		buf_addc(&text, *p);
	}
	if (!*p)
		return NULL;
	*at = p + 1;
	return arena_strdup(a, buf_text(&text));
}

static void set_parameter(struct challenge *c, const struct word *name, const char *value)
{
	/* Given twice, the first counts. */
	if (word_is(name, "realm") && !c->realm)
		c->realm = value;
	else if (word_is(name, "service") && !c->service)
		c->service = value;
	else if (word_is(name, "scope") && !c->scope)
		c->scope = value;
}

static enum challenge_scheme scheme_of(const struct word *w)
{
	return word_is(w, "bearer") ? CHALLENGE_BEARER : word_is(w, "basic") ? CHALLENGE_BASIC : CHALLENGE_OTHER;
}

/* Is what stands behind a scheme a parameter, "name=value"?  Otherwise it is one value without a name, as in
 * "Negotiate dG9rZW4=", which no scheme that we speak has. */
static bool is_parameter(const char *at)
{
	const char *equals;

	if (!take_token(&at).len)
		return false;
	equals = skip(at, " \t");
	return *equals == '=' && equals[1] && !strchr("=,", equals[1]);
}

void challenge_parse(const char *value, struct arena *a, struct challenge **list, size_t *n)
{
	struct challenge *now = NULL;
	const char *at = value;

	for (;;) {
		at = skip(at, ", \t");
		struct word name = take_token(&at);

		if (!name.len)
			return;
		at = skip(at, " \t");
		if (*at == '=' && now) {
			const char *text;

			at = skip(at + 1, " \t");
			text = take_value(&at, a);
			if (!text)
				return;
			set_parameter(now, &name, text);
			continue;
		}
		if (*n == CHALLENGES_MAX)
			return;
		now = arena_push(a, list, n);
		now->scheme = scheme_of(&name);
		if (*at && *at != ',' && !is_parameter(at))
			at += strcspn(at, ",");
	}
}
