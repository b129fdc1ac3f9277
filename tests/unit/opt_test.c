/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "opt/nearest.h"
#include "opt/opt.h"
#include "tests.h"

struct values {
	bool interactive, tty, detach;
	const char *name, *workdir, *color;
	struct opt_list volumes;
	struct opt_u64 count;
	struct opt_i64 nice, memory, timeout;
};
struct others {
	bool debug;
	const char *name;
};

#define AT(member) offsetof(struct values, member)
static const struct opt table[] = {
	{0, NULL, NULL, OPT_SECTION, 0, "Process"},
	{'i', "interactive", NULL, OPT_FLAG, AT(interactive), "keep stdin open"},
	{'t', "tty", NULL, OPT_FLAG, AT(tty), "a terminal"},
	{'d', "detach", NULL, OPT_FLAG, AT(detach), "in the background"},
	{0, "name", "NAME", OPT_STRING, AT(name), "what to call it"},
	{'w', "workdir", "DIR", OPT_STRING, AT(workdir), "where to start"},
	{0, "color", "WHEN", OPT_OPTIONAL, AT(color), "colours"},
	{'v', "volume", "SRC:DST[:OPTS]", OPT_STRINGS, AT(volumes), "mount SRC"},
	{0, "count", "N", OPT_U64, AT(count), "how many"},
	{0, "nice", "N", OPT_I64, AT(nice), "niceness"},
	{'m', "memory", "SIZE", OPT_BYTES, AT(memory), "limit"},
	{0, "timeout", "TIME", OPT_DURATION, AT(timeout), "how long"},
	{0},
};
static const struct opt other_table[] = {
	{0, "debug", NULL, OPT_FLAG, offsetof(struct others, debug), "tell more"},
	{0, "name", "NAME", OPT_STRING, offsetof(struct others, name), "hidden by the first table"},
	{0},
};

/* One call: its words (argv[0] is added), and what came out. */
struct parsed {
	char *argv[32];
	int argc, first, r;
	struct values v;
	struct others o;
	struct arena *arena;
	struct nook_error e;
};

static void parse(struct parsed *p, enum opt_mode mode, const char *const *words)
{
	const struct opt *const tables[] = {table, other_table, NULL};
	void *const targets[] = {&p->v, &p->o, NULL};

	*p = (struct parsed){.arena = arena_new(), .argc = 1};
	p->argv[0] = xstrdup("prog");
	for (; *words; words++)
		p->argv[p->argc++] = arena_strdup(p->arena, *words);
	p->r = opt_parse(p->argc, p->argv, tables, mode, targets, p->arena, &p->first, &p->e);
}
#define PARSE(p, mode, ...) parse((p), (mode), (const char *const[]){__VA_ARGS__, NULL})

static void done(struct parsed *p)
{
	free(p->argv[0]);
	arena_free(p->arena);
}

static void test_values_are_taken_in_every_spelling(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_PERMUTE, "-itw", "/a", "--name=x", "--volume", "a:b", "-vc:d", "-v=e:f", "--count", "7", "--nice=-5",
	      "-m512m", "--timeout", "1m", "--debug");
	assert_int_equal(p.r, 0);
	assert_true(p.v.interactive && p.v.tty && !p.v.detach && p.o.debug);
	assert_string_equal(p.v.workdir, "/a");
	assert_string_equal(p.v.name, "x");
	assert_null(p.o.name);
	assert_int_equal(p.v.volumes.n, 3);
	assert_string_equal(p.v.volumes.items[0], "a:b");
	assert_string_equal(p.v.volumes.items[1], "c:d");
	assert_string_equal(p.v.volumes.items[2], "e:f");
	assert_null(p.v.volumes.items[3]);
	assert_true(p.v.count.set && p.v.count.value == 7);
	assert_true(p.v.nice.set && p.v.nice.value == -5);
	assert_true(p.v.memory.set && p.v.memory.value == 512 << 20);
	assert_true(p.v.timeout.set && p.v.timeout.value == 60000000000);
	assert_int_equal(p.first, p.argc);
	done(&p);
}

static void test_permute_lets_options_follow_arguments(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_PERMUTE, "one", "-t", "-", "--name", "x", "two", "--", "-i", "--");
	assert_int_equal(p.r, 0);
	assert_int_equal(p.argc - p.first, 5);
	assert_string_equal(p.argv[p.first], "one");
	assert_string_equal(p.argv[p.first + 1], "-");
	assert_string_equal(p.argv[p.first + 2], "two");
	assert_string_equal(p.argv[p.first + 3], "-i");
	assert_string_equal(p.argv[p.first + 4], "--");
	assert_true(p.v.tty && !p.v.interactive);
	done(&p);
}

static void test_stop_leaves_the_rest_alone(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_STOP, "-t", "ls", "--", "-i");
	assert_int_equal(p.r, 0);
	assert_int_equal(p.first, 2);
	assert_string_equal(p.argv[p.first + 1], "--");
	assert_false(p.v.interactive);
	done(&p);
	PARSE(&p, OPT_STOP, "-t", "--", "-i", "--");
	assert_int_equal(p.first, 3);
	assert_string_equal(p.argv[p.first], "-i");
	assert_false(p.v.interactive);
	done(&p);
}

static void test_source_drops_the_dashes_behind_it(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_SOURCE, "-t", "host:", "--", "-i", "--");
	assert_int_equal(p.r, 0);
	assert_int_equal(p.argc - p.first, 3);
	assert_string_equal(p.argv[p.first], "host:");
	assert_string_equal(p.argv[p.first + 1], "-i");
	assert_string_equal(p.argv[p.first + 2], "--");
	done(&p);
	PARSE(&p, OPT_SOURCE, "host:", "ls", "--", "x");
	assert_int_equal(p.argc - p.first, 4);
	assert_string_equal(p.argv[p.first + 2], "--");
	done(&p);
	PARSE(&p, OPT_SOURCE, "--", "host:", "--", "ls");
	assert_int_equal(p.argc - p.first, 3);
	assert_string_equal(p.argv[p.first + 1], "--");
	done(&p);
	PARSE(&p, OPT_SOURCE, "host:");
	assert_int_equal(p.argc - p.first, 1);
	done(&p);
}

static void test_flag_can_be_taken_back(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_PERMUTE, "-t", "--tty=false", "-i=false", "--detach=true");
	assert_int_equal(p.r, 0);
	assert_true(!p.v.tty && !p.v.interactive && p.v.detach);
	done(&p);
}

static void test_optional_value_must_be_attached(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_PERMUTE, "--color", "always");
	assert_string_equal(p.v.color, "");
	assert_int_equal(p.argc - p.first, 1);
	done(&p);
	PARSE(&p, OPT_PERMUTE, "--color=always");
	assert_string_equal(p.v.color, "always");
	done(&p);
}

static void test_a_value_may_look_like_an_option(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, OPT_PERMUTE, "--nice", "-5", "--name", "--tty", "--memory", "-1", "--workdir=");
	assert_int_equal(p.r, 0);
	assert_int_equal(p.v.nice.value, -5);
	assert_string_equal(p.v.name, "--tty");
	assert_int_equal(p.v.memory.value, -1);
	assert_string_equal(p.v.workdir, "");
	assert_false(p.v.tty);
	done(&p);
}

static void test_later_values_win_and_absent_ones_stay(void **state)
{
	const struct opt *const tables[] = {table, NULL};
	struct values v = {.workdir = "/before"};
	void *const targets[] = {&v, NULL};
	char *argv[] = {(char[]){"p"}, (char[]){"--name=a"}, (char[]){"--name=b"}, NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	int first = 0;

	(void)state;
	assert_int_equal(opt_parse(3, argv, tables, OPT_PERMUTE, targets, a, &first, NULL), 0);
	assert_string_equal(v.name, "b");
	assert_string_equal(v.workdir, "/before");
}

static void test_refusals_name_the_option_and_the_value(void **state)
{
	static const struct {
		const char *words[3];
		const char *object, *detail;
		int r;
	} cases[] = {
		{{"--nmae=x"}, "--nmae", "there is no such option; did you mean \"--name\"?", -EINVAL},
		{{"--vol", "x"}, "--vol", "there is no such option; did you mean \"--volume\"?", -EINVAL},
		{{"--frobnicate"}, "--frobnicate", "there is no such option", -EINVAL},
		{{"-ix"}, "-x", "there is no such option", -EINVAL},
		{{"--=x"}, "--", "there is no such option", -EINVAL},
		{{"---"}, "---", "there is no such option", -EINVAL},
		{{"--name"}, "--name", "needs a value: --name NAME", -EINVAL},
		{{"-iv"}, "-v", "needs a value: -v SRC:DST[:OPTS]", -EINVAL},
		{{"--tty=maybe"}, "--tty", "\"maybe\" is not true or false", -EINVAL},
		{{"--count=-1"}, "--count", "\"-1\" is not a number", -EINVAL},
		{{"--count", ""}, "--count", "\"\" is not a number", -EINVAL},
		{{"--count=18446744073709551616"}, "--count", "\"18446744073709551616\" is out of range", -ERANGE},
		{{"--nice=9223372036854775808"}, "--nice", "\"9223372036854775808\" is out of range", -ERANGE},
		{{"-m", "9000000t"}, "-m", "\"9000000t\" is out of range", -ERANGE},
		{{"-m", "12x"}, "-m", "\"12x\" is not a size such as 512m", -EINVAL},
		{{"--timeout=soon"}, "--timeout", "\"soon\" is not a time such as 10s or 1h30m", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p;

		parse(&p, OPT_PERMUTE, cases[i].words);
		assert_int_equal(p.r, cases[i].r);
		assert_int_equal(p.e.step, STEP_OPTION);
		assert_string_equal(p.e.object, cases[i].object);
		assert_string_equal(p.e.detail, cases[i].detail);
		done(&p);
	}
}

static void test_no_arguments_and_no_argv0(void **state)
{
	const struct opt *const tables[] = {table, NULL};
	struct values v = {0};
	void *const targets[] = {&v, NULL};
	char *argv[] = {NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	int first = 9;

	(void)state;
	assert_int_equal(opt_parse(0, argv, tables, OPT_PERMUTE, targets, a, &first, NULL), 0);
	assert_int_equal(first, 0);
}

static void test_hostile_lengths_are_harmless(void **state)
{
	enum { LONG = 300000, MANY = 20000 };
	const struct opt *const tables[] = {table, NULL};
	struct values v = {0};
	void *const targets[] = {&v, NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	char **argv = arena_new_n(a, char *, MANY + 2);
	struct nook_error e = NOOK_ERROR_INIT;
	char *word = arena_alloc(a, LONG + 3);
	int first = 0;

	(void)state;
	memset(word, 'x', LONG + 2);
	word[0] = word[1] = '-';
	argv[0] = argv[1] = word;
	assert_int_equal(opt_parse(2, argv, tables, OPT_PERMUTE, targets, a, &first, &e), -EINVAL);
	assert_int_equal(strlen(e.object), NOOK_OBJECT_MAX - 1);
	for (int i = 1; i <= MANY; i++)
		argv[i] = i % 2 ? arena_strdup(a, "-va:b") : arena_strdup(a, "arg");
	assert_int_equal(opt_parse(MANY + 1, argv, tables, OPT_PERMUTE, targets, a, &first, &e), 0);
	assert_int_equal(v.volumes.n, MANY / 2);
	assert_null(v.volumes.items[MANY / 2]);
	assert_int_equal(MANY + 1 - first, MANY / 2);
	assert_string_equal(argv[MANY], "arg");
}

static void test_help_has_a_row_for_each_option_and_wraps(void **state)
{
	static const struct opt wide[] = {
		{'v', "volume", "SRC:DST[:OPTS]", OPT_STRINGS, 0, "mount SRC"},
		{0, "a-very-long-option-name-that-fills", "THE-LINE", OPT_STRING, 0, "text"},
		{0, "color", "WHEN", OPT_OPTIONAL, 0,
	         "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"},
		{0},
	};
	AUTO_VALUE(buf_done) struct buf out = {0};

	(void)state;
	opt_help(wide, &out);
	assert_string_equal(buf_text(&out),
	                    "  -v, --volume SRC:DST[:OPTS]  mount SRC\n"
	                    "      --a-very-long-option-name-that-fills THE-LINE\n"
	                    "                               text\n"
	                    "      --color[=WHEN]           one two three four five six seven eight nine ten eleven twelve\n"
	                    "                               thirteen fourteen fifteen sixteen\n");
}

static void test_manual_escapes_markup(void **state)
{
	static const struct opt rows[] = {
		{0, NULL, NULL, OPT_SECTION, 0, "Mounts"},
		{'v', "volume", "SRC:DST[:OPTS]", OPT_STRINGS, 0, "mount *SRC*, see user_namespaces"},
		{0, "nice", "N", OPT_I64, 0, "-20 to 19"},
		{0},
	};
	AUTO_VALUE(buf_done) struct buf out = {0};

	(void)state;
	opt_manual(rows, &out);
	assert_string_equal(buf_text(&out), "## Mounts\n\n*-v*, *--volume* _SRC:DST\\[:OPTS\\]_\n"
	                                    "\tmount \\*SRC\\*, see user\\_namespaces\n\n"
	                                    "*--nice* _N_\n\t\\-20 to 19\n\n");
}

static void test_nearest_suggests_only_what_is_near(void **state)
{
	static const struct {
		const char *typed, *wanted;
	} cases[] = {
		{"rnu", "run"}, {"exce", "exec"}, {"inspct", "inspect"}, {"insp", "inspect"}, {"x", NULL}, {"zzzz", NULL}, {"", NULL},
	};
	static const char *const words[] = {"run", "exec", "inspect", "ps"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nearest n = {.typed = cases[i].typed};

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			nearest_offer(&n, words[j]);
		if (cases[i].wanted)
			assert_string_equal(n.word, cases[i].wanted);
		else
			assert_null(n.word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_taken_in_every_spelling),
		cmocka_unit_test(test_permute_lets_options_follow_arguments),
		cmocka_unit_test(test_stop_leaves_the_rest_alone),
		cmocka_unit_test(test_source_drops_the_dashes_behind_it),
		cmocka_unit_test(test_flag_can_be_taken_back),
		cmocka_unit_test(test_optional_value_must_be_attached),
		cmocka_unit_test(test_a_value_may_look_like_an_option),
		cmocka_unit_test(test_later_values_win_and_absent_ones_stay),
		cmocka_unit_test(test_refusals_name_the_option_and_the_value),
		cmocka_unit_test(test_no_arguments_and_no_argv0),
		cmocka_unit_test(test_hostile_lengths_are_harmless),
		cmocka_unit_test(test_help_has_a_row_for_each_option_and_wraps),
		cmocka_unit_test(test_manual_escapes_markup),
		cmocka_unit_test(test_nearest_suggests_only_what_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
