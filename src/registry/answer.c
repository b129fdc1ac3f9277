/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/answer.h"

#include "json/bind.h"

#include <ctype.h>
#include <string.h>

enum { WORDS_MAX = 160, TOKEN_MAX = 64 << 10, NAMES_MAX = 100000 };

/* ---- errors --------------------------------------------------------------------------------------------------------- */

struct error_row {
	const char *code, *message;
};

struct error_answer {
	struct error_row *errors;
	size_t n_errors;
};

static const struct bind error_table[] = {
	{AT(struct error_row, code), BIND_STRING, "code"},
	{AT(struct error_row, message), BIND_STRING, "message"},
	{0},
};

static const struct bind errors_table[] = {
	{LIST(struct error_answer, errors, n_errors), BIND_ARRAY, "errors", .table = error_table},
	{0},
};

static const char *plain_words(const char *text, struct arena *a)
{
	char *copy = arena_strndup(a, text, strnlen(text, WORDS_MAX));

	for (char *at = copy; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = ' ';
	return *copy ? copy : NULL;
}

static const char *string_member(struct json *root, const char *name)
{
	struct json *found = NULL;

	return json_find(root, name, &found) && json_is(found, JSON_STRING)
		? json_string(found) : NULL;
}

const char *answer_error(const char *text, size_t len, struct arena *a)
{
	/* Token servers have words of their own for it. */
	static const char *const others[] = {"error_description", "details", "message", "detail", "error"};
	AUTO(json_free) struct json *root = NULL;
	struct error_answer answer = {0};

	if (json_parse(text, len, "reply", STEP_REGISTRY, &root, NULL) < 0 || !json_is(root, JSON_OBJECT))
		return NULL;
	if (bind_read(root, errors_table, &answer, a, NULL, STEP_REGISTRY, NULL) == 0 && answer.n_errors) {
		const struct error_row *first = &answer.errors[0];

		if (first->message && *first->message)
			return plain_words(first->message, a);
		if (first->code)
			return plain_words(first->code, a);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const char *words = string_member(root, others[i]);

		if (words)
			return plain_words(words, a);
	}
	return NULL;
}

/* ---- tokens --------------------------------------------------------------------------------------------------------- */

struct token_answer {
	const char *token, *access_token;
};

static const struct bind token_table[] = {
	{AT(struct token_answer, token), BIND_STRING, "token"},
	{AT(struct token_answer, access_token), BIND_STRING, "access_token"},
	{0},
};

int answer_token(const char *text, size_t len, const char *name, struct arena *a, const char **ret, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct token_answer answer = {0};
	const char *token;

	TRY(json_parse(text, len, name, STEP_REGISTRY, &root, e));
	TRY(bind_read(root, token_table, &answer, a, NULL, STEP_REGISTRY, e));
	token = answer.token && *answer.token ? answer.token : answer.access_token;
	if (!token || !*token)
		return err_why(e, STEP_REGISTRY, name, EPROTO, "the token server sends no token");
	for (const char *at = token; *at; at++)
		if (!isgraph((unsigned char)*at) || at - token > TOKEN_MAX)
			return err_why(e, STEP_REGISTRY, name, EPROTO, "the token server sends a token that no header can hold");
	*ret = token;
	return 0;
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

struct list_answer {
	const char *const *names;
	size_t n;
};

static const struct bind tags_table[] = {{LIST(struct list_answer, names, n), BIND_STRINGS, "tags"}, {0}};
static const struct bind repositories_table[] = {{LIST(struct list_answer, names, n), BIND_STRINGS, "repositories"}, {0}};

int answer_names(const char *text, size_t len, enum answer_list kind, const char *name, struct arena *a, const char ***list,
	size_t *n, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct list_answer answer = {0};

	TRY(json_parse(text, len, name, STEP_REGISTRY, &root, e));
	TRY(bind_read(root, kind == ANSWER_TAGS ? tags_table : repositories_table, &answer, a, NULL, STEP_REGISTRY, e));
	if (*n + answer.n > NAMES_MAX)
		return err_fmt(e, STEP_REGISTRY, name, E2BIG, "more than %d names", NAMES_MAX);
	for (size_t i = 0; i < answer.n; i++)
		*arena_push(a, list, n) = answer.names[i];
	return 0;
}

const char *answer_next(const char *link, struct arena *a)
{
	/* <URL>; rel="next", <URL>; rel=... */
	while ((link = strchr(link, '<'))) {
		const char *end = strchr(link, '>'), *stop, *rel;

		if (!end)
			return NULL;
		stop = strchr(end, '<');
		rel = strcasestr(end, "rel=");
		if (rel && (!stop || rel < stop)) {
			rel += 4 + (rel[4] == '"');
			if (strncasecmp(rel, "next", 4) == 0 && !isalnum((unsigned char)rel[4]))
				return arena_strndup(a, link + 1, (size_t)(end - link - 1));
		}
		link = end;
	}
	return NULL;
}

/* ---- search --------------------------------------------------------------------------------------------------------- */

struct search_answer {
	struct answer_found *results;
	size_t n;
};

static const struct bind found_table[] = {
	{AT(struct answer_found, name), BIND_STRING, "name", .flags = BIND_REQUIRED},
	{AT(struct answer_found, description), BIND_STRING, "description"},
	{AT(struct answer_found, stars), BIND_INT, "star_count"},
	{AT(struct answer_found, is_official), BIND_BOOL, "is_official"},
	{0},
};

static const struct bind search_table[] = {
	{LIST(struct search_answer, results, n), BIND_ARRAY, "results", .table = found_table},
	{0},
};

int answer_search(const char *text, size_t len, const char *name, struct arena *a, struct answer_found **ret, size_t *ret_n,
	struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct search_answer answer = {0};

	TRY(json_parse(text, len, name, STEP_REGISTRY, &root, e));
	TRY(bind_read(root, search_table, &answer, a, NULL, STEP_REGISTRY, e));
	*ret = answer.results;
	*ret_n = answer.n;
	return 0;
}
