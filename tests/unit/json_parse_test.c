/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/load.h"
#include "json/out.h"
#include "tests.h"

#include <stdio.h>

/* The document written again, or "LINE:COLUMN why". */
static const char *again(const char *json)
{
	static char text[1024];
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(buf_done) struct buf out = {0};
	AUTO(json_free) struct json *root = NULL;

	if (json_parse(json, strlen(json), "f", STEP_CONFIG, &root, &e) < 0) {
		assert_null(root);
		(void)snprintf(text, sizeof(text), "%s %s", e.object + 2, e.detail);
		return text;
	}
	json_text(root, &out);
	return strcpy(text, buf_text(&out));
}

static void test_every_kind_of_value(void **state)
{
	static const struct {
		const char *json, *again;
	} cases[] = {
		{" { } ", "{}"},
		{"[ ]", "[]"},
		{"\"\"", "\"\""},
		{"[1, -0, 0.5, 1e5, -2.5E-3, 1E+9]", "[1,-0,0.5,1e5,-2.5E-3,1E+9]"},
		{"[true,\tfalse,\r\nnull]", "[true,false,null]"},
		{"{\"a\":{\"b\":[{}]},\"c\":null}", "{\"a\":{\"b\":[{}]},\"c\":null}"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
		{"\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		/* Halves of pairs. */
		{"\"\\ud83d-\\ude00\\ud83d\\u0041\"", "\"\xef\xbf\xbd-\xef\xbf\xbd\xef\xbf\xbd" "A\""},
		{"\"caf\xe9\"", "\"caf\xe9\""},
		{"{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(again(cases[i].json), cases[i].again);
}

static void test_errors_name_the_place(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{"", "1:1 the text ends in the middle of a value"},
		{"{\"a\"", "1:5 the text ends in the middle of a value"},
		{"tru", "1:4 the text ends in the middle of a value"},
		{"[1,", "1:4 the text ends in the middle of a value"},
		{"\"a\\u00", "1:7 the text ends in the middle of a value"},
		{"-", "1:2 the text ends in the middle of a value"},
		{"[1,]", "1:4 a value is missing"},
		{"{\"a\":1,}", "1:8 a name in quotes is missing"},
		{"{'a':1}", "1:2 a name in quotes is missing"},
		{"{\"a\" 1}", "1:6 a colon is missing behind a name"},
		{"{\"a\":1 \"b\":2}", "1:8 a comma or } is missing in an object"},
		{"[1 2]", "1:4 a comma or ] is missing in an array"},
		{"[01]", "1:3 a comma or ] is missing in an array"},
		{"[1.]", "1:4 a digit is missing"},
		{"[1e]", "1:4 a digit is missing"},
		{"[-a]", "1:3 a digit is missing"},
		{"[+1]", "1:2 a value is missing"},
		{"[NaN]", "1:2 a value is missing"},
		{"[truth]", "1:2 a value is missing"},
		{"{} {}", "1:4 something stands behind the value"},
		{"// no\n{}", "1:1 a value is missing"},
		{"\n\"a\nb\"", "2:3 a control character in a string"},
		{"\"\\x\"", "1:3 unknown escape in a string"},
		{"\"\\u12G4\"", "1:6 \\u wants four hexadecimal digits"},
		{"{\"a\\u0000\":1}", "1:11 a name has a NUL character in it"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(again(cases[i].json), cases[i].why);
}

static void test_numbers_stay_in_their_range(void **state)
{
	AUTO(json_free) struct json *root = NULL;
	static const char text[] = "[9223372036854775807,9223372036854775808,18446744073709551616,-9223372036854775809,-1,1.5]";

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), "f", STEP_CONFIG, &root, NULL), 0);
	assert_true(json_i64(json_at(root, 0)) == INT64_MAX);
	assert_true(json_i64(json_at(root, 1)) == INT64_MAX && json_u64(json_at(root, 1)) == 9223372036854775808U);
	assert_true(json_u64(json_at(root, 2)) == UINT64_MAX);
	assert_true(json_i64(json_at(root, 3)) == INT64_MIN);
	assert_true(json_u64(json_at(root, 4)) == 0 && json_i64(json_at(root, 4)) == -1);
	assert_true(json_is(json_at(root, 5), JSON_DOUBLE));
	assert_null(json_at(root, 6));
}

static void test_many_members_are_found_replaced_and_removed(void **state)
{
	AUTO(json_free) struct json *root = json_new();
	struct json *found = NULL;
	char name[16];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 1000; i++) {
			(void)snprintf(name, sizeof(name), "%d", i * 7919 % 1000);
			json_set(root, name, json_make_i64(root, i + round));
		}
	assert_int_equal(json_length(root), 1000);
	assert_string_equal(json_key_at(root, 1), "919");
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i * 7919 % 1000);
		assert_true(json_find(root, name, &found));
		assert_true(json_i64(found) == i + 1);
	}
	json_remove(root, "919");
	json_remove(root, "absent");
	assert_int_equal(json_length(root), 999);
	assert_false(json_find(root, "919", NULL));
	assert_true(json_find(root, "918", NULL) && json_find(root, "920", NULL));
}

/* The order that costs most, so many that the square of them would take seconds. */
static void test_members_in_descending_order(void **state)
{
	enum { MANY = 60000 };
	AUTO(json_free) struct json *root = json_new();
	struct json *found = NULL;
	char name[16];

	(void)state;
	for (int i = MANY; i-- > 0;) {
		(void)snprintf(name, sizeof(name), "%05d", i);
		json_set(root, name, json_make_i64(root, i));
	}
	assert_int_equal(json_length(root), MANY);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "%05d", i);
		assert_true(json_find(root, name, &found) && json_i64(found) == i);
	}
	assert_false(json_find(root, "60000", NULL));
}

static void test_an_array_gets_an_object_around_it(void **state)
{
	struct json *list = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};

	(void)state;
	assert_int_equal(json_parse("[1]", 3, "f", STEP_CONFIG, &list, NULL), 0);
	AUTO(json_free) struct json *whole = json_wrap(list, "list");

	json_text(whole, &out);
	assert_string_equal(buf_text(&out), "{\"list\":[1]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_value),
		cmocka_unit_test(test_errors_name_the_place),
		cmocka_unit_test(test_numbers_stay_in_their_range),
		cmocka_unit_test(test_many_members_are_found_replaced_and_removed),
		cmocka_unit_test(test_members_in_descending_order),
		cmocka_unit_test(test_an_array_gets_an_object_around_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
