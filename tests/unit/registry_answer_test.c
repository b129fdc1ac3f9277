/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/answer.h"

#include "tests.h"

static void test_errors_in_words(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\",\"detail\":{}}]}", "manifest unknown"},
		{"{\"errors\":[{\"code\":\"DENIED\"}]}", "DENIED"},
		{"{\"errors\":[{\"code\":\"X\",\"message\":\"two\\nlines\\u001b[31m\"}]}", "two lines [31m"},
		{"{\"details\":\"incorrect username or password\"}", "incorrect username or password"},
		{"{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}", "expired"},
		{"{\"errors\":[]}", NULL},
		{"{\"errors\":\"x\",\"message\":\"m\"}", "m"},
		{"<html>", NULL},
		{"[]", NULL},
		{"", NULL},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *words = answer_error(cases[i].text, strlen(cases[i].text), a);

		if (cases[i].words) {
			assert_non_null(words);
			assert_string_equal(words, cases[i].words);
		} else {
			assert_null(words);
		}
	}
}

static void test_tokens(void **state)
{
	static const struct {
		const char *text, *token;
	} cases[] = {
		{"{\"token\":\"abc\"}", "abc"},
		{"{\"access_token\":\"abc\",\"expires_in\":60}", "abc"},
		{"{\"token\":\"\",\"access_token\":\"b\"}", "b"},
		{"{}", NULL},
		{"{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL},
		{"{\"token\":5}", NULL},
		{"{\"token\":\"a b\"}", NULL},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *token = NULL;
		int r = answer_token(cases[i].text, strlen(cases[i].text), "x", a, &token, NULL);

		assert_int_equal(r < 0, !cases[i].token);
		if (cases[i].token)
			assert_string_equal(token, cases[i].token);
	}
}

static void test_next_page(void **state)
{
	static const struct {
		const char *link, *next;
	} cases[] = {
		{"</v2/_catalog?last=b&n=2>; rel=\"next\"", "/v2/_catalog?last=b&n=2"},
		{"<https://x/y>;rel=next", "https://x/y"},
		{"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
		{"<a>; rel=\"nextish\"", NULL},
		{"<a>", NULL},
		{"<a", NULL},
		{"", NULL},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *next = answer_next(cases[i].link, a);

		if (cases[i].next)
			assert_string_equal(next, cases[i].next);
		else
			assert_null(next);
	}
}

static void test_lists_of_names(void **state)
{
	static const char text[] = "{\"name\":\"x\",\"tags\":[\"a\",\"b\"]}", none[] = "{\"tags\":null}";
	AUTO(arena_free) struct arena *a = arena_new();
	const char **list = NULL;
	size_t n = 0;

	assert_int_equal(answer_names(text, strlen(text), ANSWER_TAGS, "x", a, &list, &n, NULL), 0);
	assert_int_equal(answer_names(none, strlen(none), ANSWER_TAGS, "x", a, &list, &n, NULL), 0);
	assert_int_equal(answer_names(text, strlen(text), ANSWER_TAGS, "x", a, &list, &n, NULL), 0);
	assert_int_equal(n, 4);
	assert_string_equal(list[1], "b");
	assert_int_equal(answer_names("{\"tags\":1}", 10, ANSWER_TAGS, "x", a, &list, &n, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_in_words),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_next_page),
		cmocka_unit_test(test_lists_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
