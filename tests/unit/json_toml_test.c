/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/out.h"
#include "json/toml.h"
#include "tests.h"

static const char *text_of(const char *toml)
{
	static char text[1024];
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(buf_done) struct buf out = {0};
	AUTO(json_free) struct json *root = NULL;

	if (toml_parse(toml, strlen(toml), "f", STEP_CONFIG, &root, &e) < 0)
		return strcat(strcpy(text, e.object), e.detail);
	json_text(root, &out);
	return strcpy(text, buf_text(&out));
}

static void test_values(void **state)
{
	static const struct {
		const char *toml, *json;
	} cases[] = {
		{"", "{}"},
		{"# only a comment", "{}"},
		{"\xef\xbb\xbf" "a=1", "{\"a\":1}"},
		{"a = 1\r\nb= -2 # two\n", "{\"a\":1,\"b\":-2}"},
		{"a = 1_000\nb = 0xff\nc = 0o17\nd = 0b101\n", "{\"a\":1000,\"b\":255,\"c\":15,\"d\":5}"},
		{"a = true\nb = false", "{\"a\":true,\"b\":false}"},
		{"a = 1.5\n", "{\"a\":1.5}"},
		{"a = \"x\\ty\\\"\\u00e9\\U0001F600\"", "{\"a\":\"x\\ty\\\"\xc3\xa9\xf0\x9f\x98\x80\"}"},
		{"a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}"},
		{"a = \"\"\"\nx\\\n   y\n\"z\" \"\"\"\"", "{\"a\":\"xy\\n\\\"z\\\" \\\"\"}"},
		{"a = '''\nx\\n'''", "{\"a\":\"x\\\\n\"}"},
		{"a = [1, [2,3],\n # c\n 'x',\n]", "{\"a\":[1,[2,3],\"x\"]}"},
		{"a = { b = 1, c.d = 'x' }", "{\"a\":{\"b\":1,\"c\":{\"d\":\"x\"}}}"},
		{"a.b.\"c d\" = 1\na.e = 2", "{\"a\":{\"b\":{\"c d\":1},\"e\":2}}"},
		{"[a]\nb=1\n[a.c]\nd=2\n[e]\n", "{\"a\":{\"b\":1,\"c\":{\"d\":2}},\"e\":{}}"},
		{"[[r]]\nn=1\n[[r.m]]\nk=1\n[[r.m]]\nk=2\n[[r]]\nn=2", "{\"r\":[{\"n\":1,\"m\":[{\"k\":1},{\"k\":2}]},{\"n\":2}]}"},
		{"1-a = 1", "{\"1-a\":1}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_of(cases[i].toml), cases[i].json);
}

static void test_refused_with_the_line(void **state)
{
	static const struct {
		const char *toml, *why;
	} cases[] = {
		{"a", "f:1= is missing behind a key"},
		{"\n\n= 1", "f:3a key is missing"},
		{"a = ", "f:1a value is missing"},
		{"a = 1 b = 2", "f:1something stands behind the value"},
		{"a = 1\na = 2", "f:2a key is given twice"},
		{"a = 1\n[a]", "f:2a key is used as a table and as a value"},
		{"a = 1\n[[a]]", "f:2a key is used as a table and as a value"},
		{"[[a]]\n[a]", "f:2a key is used as a table and as a value"},
		{"a = \"x\ny\"", "f:1a control character in a string"},
		{"a = \"x", "f:1a string without end"},
		{"a = \"\\q\"", "f:1unknown escape in a string"},
		{"a = \"\\ud800\"", "f:1\\u stands for no character"},
		{"a = \"\\u12\"", "f:1\\u wants hexadecimal digits"},
		{"a = [1", "f:1a comma or ] is missing in an array"},
		{"a = {b = 1", "f:1a comma or } is missing in a table"},
		{"a = 1979-05-27", "f:1a number that cannot be read"},
		{"a = 1979-05-27T07:32:00Z", "f:1a value that is neither string, number, true, false, array nor table"},
		{"a = truely", "f:1a value is missing"},
		{"a = yes", "f:1a value is missing"},
		{"a = 99999999999999999999", "f:1a number that cannot be read"},
		{"a = 0x", "f:1a number that cannot be read"},
		{"[a", "f:1] is missing"},
		{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", "f:1a key of too many parts"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_of(cases[i].toml), cases[i].why);
}

static void test_depth_has_a_limit(void **state)
{
	char toml[200] = "a = ";

	memset(toml + 4, '[', 100);
	assert_string_equal(text_of(toml), "f:1nested too deeply");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused_with_the_line),
		cmocka_unit_test(test_depth_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
