/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"

#include "base/buf.h"
#include "tests.h"

/* "bearer(realm|service|scope)" of each. */
static const char *words(const char *value)
{
	static const char *const names[] = {"other", "basic", "bearer"};
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf b = {0};
	static char text[512];
	struct challenge *list = NULL;
	size_t n = 0;

	challenge_parse(value, a, &list, &n);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s(%s|%s|%s)", i ? " " : "", names[list[i].scheme], list[i].realm ? list[i].realm : "",
			list[i].service ? list[i].service : "", list[i].scope ? list[i].scope : "");
	return strcpy(text, buf_text(&b));
}

static void test_challenges(void **state)
{
	static const struct {
		const char *value, *words;
	} cases[] = {
		{"Bearer realm=\"https://a/t\",service=\"reg\",scope=\"repository:x/y:pull,push\"", "bearer(https://a/t|reg|repository:x/y:pull,push)"},
		{"bearer realm=\"a\" , service=b", "bearer(a|b|)"},
		{"BASIC realm=\"a \\\"b\\\" c\"", "basic(a \"b\" c||)"},
		{"Basic", "basic(||)"},
		{"Basic realm=\"\"", "basic(||)"},
		{"Negotiate, Basic realm=\"x\"", "other(||) basic(x||)"},
		{"Negotiate dG9rZW4=, Basic realm=x", "other(||) basic(x||)"},
		{"NTLM a/b+c==,Bearer realm=\"u\"", "other(||) bearer(u||)"},
		{"Basic realm=\"a\", Bearer realm=\"b\",scope=\"s\"", "basic(a||) bearer(b||s)"},
		{"Bearer realm = \"a\" ,, service = \"b\"", "bearer(a|b|)"},
		{"Bearer realm=\"first\",realm=\"second\"", "bearer(first||)"},
		{"Bearer error=\"invalid_token\",realm=\"a\"", "bearer(a||)"},
		{"Bearer realm=\"no end", "bearer(||)"},
		{"", ""},
		{",,,", ""},
		{"=\"x\"", ""},
		{"realm=\"x\"", "other(||)"},
		{"Bearer realm=", "bearer(||)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(words(cases[i].value), cases[i].words);
}

static void test_there_is_a_limit(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct challenge *list = NULL;
	size_t n = 0;

	for (int i = 0; i < 10; i++)
		challenge_parse("A,B,C,D,E", a, &list, &n);
	assert_int_equal(n, CHALLENGES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
