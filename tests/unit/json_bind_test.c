/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/bind.h"
#include "tests.h"

#include <stdio.h>

struct limit {
	uint32_t resource;
	uint64_t soft, hard;
};
struct entry {
	const char *key, *value;
};
struct thing {
	const char *name;
	bool on;
	int32_t level;
	uint16_t rows;
	struct opt_i64 quota;
	struct opt_u64 shares;
	const char *const *args;
	uint32_t *groups;
	size_t n_groups;
	struct limit *limits;
	size_t n_limits;
	struct entry *notes;
	size_t n_notes;
	uint32_t kind;
	uint32_t flags;
	struct {
		bool set;
		const char *path;
	} extra;
};

static const struct bind_word kinds[] = {{"small", 1}, {"large", 2}, {0}};
static const struct bind_word flags[] = {{"LOG", 1}, {"WAIT", 4}, {0}};
static const struct bind limit_table[] = {
	{AT(struct limit, resource), BIND_UINT, "resource", .flags = BIND_REQUIRED},
	{AT(struct limit, soft), BIND_UINT, "soft", .flags = BIND_ALWAYS},
	{AT(struct limit, hard), BIND_UINT, "hard", .flags = BIND_ALWAYS},
	{0},
};
static const struct bind extra_table[] = {
	{offsetof(struct thing, extra.path) - offsetof(struct thing, extra), .type = BIND_STRING, .name = "path"},
	{0},
};
static const struct bind table[] = {
	{AT(struct thing, name), BIND_STRING, "name"},
	{AT(struct thing, on), BIND_BOOL, "on"},
	{AT(struct thing, level), BIND_INT, "level"},
	{AT(struct thing, rows), BIND_UINT, "rows"},
	{AT(struct thing, quota), BIND_OPT_INT, "quota"},
	{AT(struct thing, shares), BIND_OPT_UINT, "shares"},
	{AT(struct thing, args), BIND_STRINGS, "args"},
	{LIST(struct thing, groups, n_groups), BIND_UINTS, "groups"},
	{LIST(struct thing, limits, n_limits), BIND_ARRAY, "limits", .table = limit_table},
	{LIST(struct thing, notes, n_notes), BIND_MAP, "notes"},
	{AT(struct thing, kind), BIND_WORD, "kind", .words = kinds},
	{AT(struct thing, flags), BIND_WORDS, "flags", .words = flags},
	{HAS(struct thing, extra, extra.set), BIND_STRUCT, "extra", .table = extra_table},
	{0},
};

static int read_text(const char *text, struct thing *ret, struct arena *a, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;

	TRY(json_parse(text, strlen(text), "thing.json", STEP_CONFIG, &root, e));
	return bind_read(root, table, ret, a, NULL, STEP_CONFIG, e);
}

static void test_what_is_written_reads_back(void **state)
{
	static const char text[] =
		"{\"name\":\"a\\\"b\\n\\u0001\",\"on\":true,\"level\":-5,\"rows\":65535,\"quota\":-1,"
		"\"shares\":18446744073709551615,\"args\":[\"sh\",\"\"],\"groups\":[0,4294967295],"
		"\"limits\":[{\"resource\":7,\"soft\":0,\"hard\":18446744073709551615}],\"notes\":{\"a\":\"1\",\"b\":\"2\"},"
		"\"kind\":\"large\",\"flags\":[\"LOG\",\"WAIT\"],\"extra\":{\"path\":\"/x\"}}";
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct thing t = {0};
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	assert_int_equal(read_text(text, &t, a, &e), 0);
	assert_int_equal(t.level, -5);
	assert_int_equal(t.limits[0].hard, UINT64_MAX);
	assert_true(t.extra.set);
	bind_text(table, &t, JSON_PLAIN, &out);
	assert_string_equal(out.data, text);
}

static void test_empty_is_left_out(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct thing t = {0};

	(void)state;
	assert_int_equal(read_text("{\"args\":[],\"name\":null,\"unknown\":{\"x\":[1]},\"extra\":{}}", &t, a, NULL), 0);
	bind_text(table, &t, JSON_PRETTY, &out);
	assert_string_equal(out.data, "{\n\t\"extra\": {}\n}");
	assert_null(t.name);
}

static void test_the_last_of_equal_keys_wins_and_maps_are_sorted(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct thing t = {0};

	(void)state;
	assert_int_equal(read_text("{\"level\":1,\"level\":2,\"notes\":{\"z\":\"1\",\"a\":\"2\"}}", &t, a, NULL), 0);
	assert_int_equal(t.level, 2);
	assert_string_equal(t.notes[0].key, "a");
}

static void test_errors_name_the_member(void **state)
{
	static const struct {
		const char *text, *where, *why;
	} rows[] = {
		{"{\"limits\":[{\"resource\":1},{\"resource\":2,\"soft\":\"x\"}]}", "limits[1].soft",
			"expected an integer, found a string"},
		{"{\"limits\":[{}]}", "limits[0].resource", "missing"},
		{"{\"limits\":{}}", "limits", "expected an array, found an object"},
		{"{\"rows\":65536}", "rows", "65536 is not between 0 and 65535"},
		{"{\"rows\":-1}", "rows", "-1 is not between 0 and 65535"},
		{"{\"level\":2147483648}", "level", "2147483648 is not between -2147483648 and 2147483647"},
		{"{\"quota\":18446744073709551615}", "quota",
			"18446744073709551615 is not between -9223372036854775808 and 9223372036854775807"},
		{"{\"level\":1.5}", "level", "expected an integer, found a number with a fraction"},
		{"{\"groups\":[1,null]}", "groups[1]", "expected an integer, found null"},
		{"{\"args\":[\"a\",7]}", "args[1]", "expected a string, found an integer"},
		{"{\"notes\":{\"k\":1}}", "notes.k", "expected a string, found an integer"},
		{"{\"kind\":\"huge\"}", "kind", "\"huge\" is unknown here"},
		{"{\"name\":\"a\\u0000b\"}", "name", "the string has a NUL character in it"},
		{"[]", "", "expected an object, found an array"},
		{"{\n \"a\": 1,\n \"b\": }", "thing.json:3:7", "a value is missing"},
		{"{\"a\": [1, 2", "thing.json:1:12", "the text ends in the middle of a value"},
		{"", "thing.json:1:1", "the text ends in the middle of a value"},
		{"{} x", "thing.json:1:4", "something stands behind the value"},
		{"null\n", "thing.json", "null where an object was expected"},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		struct thing t = {0};

		assert_int_equal(read_text(rows[i].text, &t, a, &e), -EINVAL);
		assert_string_equal(e.object, rows[i].where);
		assert_string_equal(e.detail, rows[i].why);
		assert_int_equal(e.step, STEP_CONFIG);
	}
}

static void test_depth_and_size_are_limited(void **state)
{
	AUTO_VALUE(buf_done) struct buf deep = {0};
	AUTO(json_free) struct json *root = NULL;
	char path[] = "/tmp/nook-json-XXXXXX";
	struct nook_error e = NOOK_ERROR_INIT;
	int fd = mkstemp(path);

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, '[');
	assert_int_equal(json_parse(deep.data, deep.len, "deep.json", STEP_CONFIG, &root, &e), -EINVAL);
	assert_string_equal(e.detail, "nested too deeply");
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(json_load(AT_FDCWD, path, JSON_LIMIT, STEP_CONFIG, &root, &e), -EFBIG);
	assert_string_equal(e.detail, "104857600 bytes, but at most 16777216 are read");
	assert_null(root);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_reads_back),
		cmocka_unit_test(test_empty_is_left_out),
		cmocka_unit_test(test_the_last_of_equal_keys_wins_and_maps_are_sorted),
		cmocka_unit_test(test_errors_name_the_member),
		cmocka_unit_test(test_depth_and_size_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
