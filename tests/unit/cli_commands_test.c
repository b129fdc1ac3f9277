/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules that every command keeps, whoever wrote it. */
#include "base/buf.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "tests.h"

#include <ctype.h>

enum { SUMMARY_MAX = 80, WORDS_MAX = 64 };

static void for_each(const struct command *const *list, const char *path,
                     void (*judge)(const struct command *cmd, const char *path))
{
	for (; *list; list++) {
		auto_free char *full = xasprintf("%s%s%s", path, path[0] ? " " : "", (*list)->name);

		judge(*list, full);
		if ((*list)->subs)
			for_each((*list)->subs, full, judge);
	}
}

#define CLAIM(path, truth, ...)                               \
	do {                                                  \
		if (!(truth)) {                               \
			print_error("nook %s: ", (path));     \
			print_error(__VA_ARGS__);             \
			print_error("\n");                    \
			fail();                               \
		}                                             \
	} while (0)

static void judge_description(const struct command *cmd, const char *path)
{
	CLAIM(path, !!cmd->run + !!cmd->subs + cmd->transfer == 1, "has either run or subs, or is nook-transfer's");
	if (!cmd->summary)
		return;
	CLAIM(path, cmd->subs || cmd->usage, "has no usage");
	CLAIM(path, cmd->examples, "has no example");
	CLAIM(path, strlen(cmd->summary) <= SUMMARY_MAX, "its summary is longer than %d", SUMMARY_MAX);
	CLAIM(path, !isupper((unsigned char)cmd->summary[0]), "its summary starts with a capital");
	CLAIM(path, cmd->summary[strlen(cmd->summary) - 1] != '.', "its summary ends with a full stop");
}

static void test_each_command_describes_itself(void **state)
{
	(void)state;
	for_each(commands, "", judge_description);
}

static size_t value_size(enum opt_type type)
{
	return type == OPT_FLAG                                             ? sizeof(bool)
	       : type == OPT_STRING || type == OPT_OPTIONAL                 ? sizeof(const char *)
	       : type == OPT_STRINGS                                        ? sizeof(struct opt_list)
	                                                                    : sizeof(struct opt_i64);
}

static void judge_options(const struct command *cmd, const char *path)
{
	for (const struct opt *row = cmd->options; row && row->type != OPT_END; row++) {
		const char *name = row->name ? row->name : (char[]){row->letter, 0};

		CLAIM(path, row->help && row->help[0], "option %s has no help", name);
		if (row->type == OPT_SECTION)
			continue;
		CLAIM(path, row->name || row->letter, "an option has no name");
		CLAIM(path, row->offset + value_size(row->type) <= cmd->options_size, "option %s lies outside options_size", name);
		CLAIM(path, row->type == OPT_FLAG || row->value, "option %s does not say what its value is", name);
		CLAIM(path, row->help[strlen(row->help) - 1] != '.', "the help of option %s ends with a full stop", name);
		for (const struct opt *other = cmd->options; other != row; other++) {
			CLAIM(path, !row->letter || other->letter != row->letter, "two options -%c", row->letter);
			CLAIM(path, !row->name || !other->name || !text_is(other->name, row->name), "two options --%s", name);
		}
	}
}

static void test_each_option_is_sound(void **state)
{
	(void)state;
	for_each(commands, "", judge_options);
}

/* The words of one example line, without the shell's quotes; stops at what the shell keeps for itself. */
static int split(char *line, char **words)
{
	int n = 0;

	while (*line && n < WORDS_MAX) {
		char *to;

		line += strspn(line, " ");
		if (!*line || strchr("|>&#;", *line))
			break;
		words[n++] = to = line;
		while (*line && *line != ' ') {
			char quote = *line == '\'' || *line == '"' ? *line++ : 0;

			if (!quote) {
				*to++ = *line++;
				continue;
			}
			while (*line && *line != quote)
				*to++ = *line++;
			line += *line == quote;
		}
		line += *line == ' ';
		*to = 0;
	}
	return n;
}

static void judge_example(const struct command *cmd, const char *path, const char *text, size_t len)
{
	auto_free char *line = xasprintf("%.*s", (int)len, text), *copy = xstrdup(line);
	const char *rest = strstr(line, "nook ");
	const struct opt *const tables[] = {cmd->options ? cmd->options : global_options, global_options, NULL};
	struct globals globals = {0};
	AUTO(arena_free) struct arena *arena = arena_new();
	void *options = arena_alloc(arena, cmd->options_size + sizeof(globals));
	void *const targets[] = {options, &globals, NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	char *words[WORDS_MAX + 1] = {0};
	int n, first = 0, skip = 0;

	CLAIM(path, rest, "\"%s\" does not call nook", line);
	rest = text_after(rest, "nook ");
	CLAIM(path, text_after(rest, path), "\"%s\" is an example of something else", line);
	n = split(copy + (rest - line), words);
	for (const char *p = path; p; p = strchr(p + 1, ' '))
		skip++;
	CLAIM(path, opt_parse(n - skip + 1, words + skip - 1, tables, cmd->mode, targets, arena, &first, &e) == 0,
	      "\"%s\": option %s %s", line, e.object, e.detail);
	n -= skip - 1 + first;
	CLAIM(path, n >= cmd->min_args && (cmd->max_args < 0 || n <= cmd->max_args), "\"%s\" has %d arguments", line, n);
}

static void judge_examples(const struct command *cmd, const char *path)
{
	const char *line = cmd->examples;

	if (cmd->subs)
		return; /* its examples show the sub commands, which have their own */
	if (strchr(path, ' ') && command_find(commands, cmd->name) == cmd)
		return; /* a second name: its examples have the first one, and are judged there */
	while (line && *line) {
		size_t len = strcspn(line, "\n");

		if (len)
			judge_example(cmd, path, line, len);
		line += len + (line[len] == '\n');
	}
}

static void test_each_example_can_be_parsed(void **state)
{
	(void)state;
	for_each(commands, "", judge_examples);
}

static void judge_help(const struct command *cmd, const char *path)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	if (!cmd->summary)
		return;
	help_command(cmd, path, &out);
	CLAIM(path, strstr(buf_text(&out), cmd->summary), "its help lacks the summary");
	CLAIM(path, strstr(buf_text(&out), "Usage: nook "), "its help lacks the usage");
	CLAIM(path, !strchr(buf_text(&out), '\t'), "its help has a tab");
}

static void test_each_command_has_help(void **state)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	(void)state;
	for_each(commands, "", judge_help);
	help_program(&out);
	for (const struct command *const *c = commands; *c; c++) {
		auto_free char *line = xasprintf("\n  %s ", (*c)->name);

		assert_int_equal(!!strstr(buf_text(&out), line), !!(*c)->summary);
	}
}

static void judge_manual(const struct command *cmd, const char *path)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	if (!cmd->summary || strchr(path, ' '))
		return;
	manual_command(cmd, NULL, &out);
	CLAIM(path, text_after(buf_text(&out), "nook-"), "its page has no title");
	CLAIM(path, strstr(buf_text(&out), "\n# EXAMPLES\n"), "its page has no examples");
}

static void test_each_command_has_a_page(void **state)
{
	(void)state;
	for_each(commands, "", judge_manual);
}

static void test_names_are_unique_and_nearest_finds_them(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		assert_ptr_equal(command_find(commands, (*c)->name), *c);
		assert_null(command_find(c + 1, (*c)->name));
	}
	assert_null(command_find(commands, "no-such-command"));
	assert_string_equal(command_nearest(commands, "hlep"), "help");
	assert_null(command_nearest(commands, "xyzzy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_command_describes_itself),
		cmocka_unit_test(test_each_option_is_sound),
		cmocka_unit_test(test_each_example_can_be_parsed),
		cmocka_unit_test(test_each_command_has_help),
		cmocka_unit_test(test_each_command_has_a_page),
		cmocka_unit_test(test_names_are_unique_and_nearest_finds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
