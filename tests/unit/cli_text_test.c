/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reaches a terminal or a log: escaping, tables. */
#include "base/plain.h"
#include "command/log.h"
#include "command/table.h"
#include "tests.h"

static void test_json_strings_are_valid_whatever_goes_in(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", "\"\""},
		{"a \"b\" \\", "\"a \\\"b\\\" \\\\\""},
		{"\x1b[2J\n\x7f", "\"\\u001b[2J\\u000a\\u007f\""},
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""},
		{"\xc2\x9b" "31m\xc2\xa0", "\"\\u009b31m\xc2\xa0\""},
		{"\xff", "\"\\ufffd\""},
		{"a\xc3", "\"a\\ufffd\""},               /* cut off */
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},      /* overlong */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_VALUE(buf_done) struct buf out = {0};

		log_json_string(cases[i].in, &out);
		assert_string_equal(buf_text(&out), cases[i].out);
	}
}

static void test_plain_text_cannot_drive_a_terminal(void **state)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	(void)state;
	plain_add("a\x1b]0;x\x07 \xc2\x9b" "31m \xff \xc3\xa9\n", &out);
	assert_string_equal(buf_text(&out), "a\\x1b]0;x\\x07 \\xc2\\x9b31m \\xff \xc3\xa9\\x0a");
}

static const struct column columns[] = {
	{"NAME", "name", COLUMN_TEXT}, {"PID", "pid", COLUMN_NUMBER},  {NULL, "ok", COLUMN_BOOL},
	{"PATHS", "paths", COLUMN_LIST}, {0},
};

static void test_table_aligns_columns(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct table t = {.columns = columns, .arena = a};

	(void)state;
	table_add(&t, (const char *const[]){"\xc3\xa9t\xc3\xa9", "1", "yes", "/a\n/b"});
	table_add(&t, (const char *const[]){"x\n", "12345", "no", ""});
	table_add(&t, (const char *const[]){"longer", NULL, "no", NULL});
	table_text(&t, &out);
	assert_string_equal(buf_text(&out), "NAME       PID   PATHS\n"
	                                    "\xc3\xa9t\xc3\xa9          1   /a,/b\n"
	                                    "x\\x0a    12345   -\n"
	                                    "longer       -   -\n");
}

static void test_table_as_json(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct table t = {.columns = columns, .arena = a};

	(void)state;
	table_json(&t, &out);
	assert_string_equal(buf_text(&out), "[]\n");
	buf_done(&out);
	table_add(&t, (const char *const[]){"a\"b", "7", "yes", "/a\n/b"});
	table_add(&t, (const char *const[]){NULL, NULL, "no", NULL});
	table_json(&t, &out);
	assert_string_equal(buf_text(&out), "[\n {\"name\":\"a\\\"b\",\"pid\":7,\"ok\":true,\"paths\":[\"/a\",\"/b\"]},\n"
	                                    " {\"name\":null,\"pid\":null,\"ok\":false,\"paths\":[]}\n]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_strings_are_valid_whatever_goes_in),
		cmocka_unit_test(test_plain_text_cannot_drive_a_terminal),
		cmocka_unit_test(test_table_aligns_columns),
		cmocka_unit_test(test_table_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
