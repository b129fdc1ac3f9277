/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests.h"

#include "box/learned.h"
#include "temp.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Flags as the notes have them, in hexadecimal. */
#define READ "82"   /* read, existed */
#define WRITE "84"  /* written, existed */
#define NEW "c"     /* made and written, did not exist */
#define LIST "1a0"  /* listed, existed, a directory */

static const char *root;

static int set_up(void **state)
{
	int r = temp_make(state);

	root = r < 0 ? NULL : ((const struct temp *)*state)->path;
	return r;
}

#define learned_test(f) cmocka_unit_test_setup_teardown(f, set_up, temp_remove)

static void file(const char *name)
{
	AUTO_VALUE(buf_done) struct buf path = {0};
	int fd;

	buf_addf(&path, "%s/%s", root, name);
	for (char *c = path.data + strlen(root) + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		(void)mkdir(path.data, 0755);
		*c = '/';
	}
	fd = open(path.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* A profile of NOTES, in which "@" stands for the test's directory. */
static char *profile(const char *notes, const char *const *hosts)
{
	AUTO_VALUE(buf_done) struct buf text = {0}, home = {0}, start = {0};
	struct learned l = {.command = "test", .box_home = "/home", .hosts = hosts, .proxy_port = 4000};
	struct buf to = {0};

	for (; *notes; notes++) {
		if (*notes == '@')
			buf_adds(&text, root);
		else
			buf_addc(&text, *notes);
	}
	buf_addf(&home, "%s/home", root);
	buf_addf(&start, "%s/home/work", root);
	l.notes = buf_text(&text);
	l.home = buf_text(&home);
	l.start = buf_text(&start);
	learned_profile(&l, &to);
	return to.data;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && (at[n] == '\n' || !at[n]))
			return true;
	return false;
}

static void test_paths_are_relative_to_where_it_started(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	file("home/work/in");
	file("home/work/kept/old");
	file("srv/data");
	text = profile("p " READ " @/home/work/in\np " NEW " @/home/work/kept/new\np " READ " @/srv/data\n", NULL);
	assert_true(has_line(text, "ro in"));
	assert_true(has_line(text, "rw kept"));
	assert_non_null(strstr(text, "/srv/data"));
	assert_true(has_line(text, "syscalls strict"));
}

static void test_what_lies_in_something_shown_is_left_out(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	file("home/work/a/b/c");
	file("home/work/a/d");
	text = profile("p " NEW " @/home/work/a/new\np " READ " @/home/work/a/b/c\np " WRITE " @/home/work/a/d\n", NULL);
	assert_true(has_line(text, "rw a"));
	assert_null(strstr(text, "a/b"));
	assert_null(strstr(text, "a/d"));
}

static void test_many_files_become_their_directory(void **state)
{
	AUTO_VALUE(buf_done) struct buf notes = {0};
	auto_free char *text = NULL;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "home/work/many/%d", i);
		file(name);
		buf_addf(&notes, "p " READ " @/%s\n", name);
	}
	text = profile(buf_text(&notes), NULL);
	assert_true(has_line(text, "ro many"));
	assert_null(strstr(text, "many/"));
}

static void test_homes_and_secrets_are_never_opened(void **state)
{
	AUTO_VALUE(buf_done) struct buf line = {0};
	auto_free char *text = NULL;

	(void)state;
	file("home/.ssh/id");
	file("home/.config/gcloud/key");
	file("home/.config/other");
	text = profile("p " READ " @/home/.ssh/id\np " LIST " @/home\np " LIST " @/home/.config\np " NEW " @/home/new\n", NULL);
	buf_addf(&line, "# ro %s/home/.ssh", root);
	assert_true(has_line(text, buf_text(&line)));
	line.len = 0;
	buf_addf(&line, "hide %s/home/.config/gcloud", root);
	assert_true(has_line(text, buf_text(&line)));
	for (const char *at = text; (at = strstr(at, "\nr")); at++)
		assert_null(strstr(at, "/home\n") == at + 4 + strlen(root) ? at : NULL);
}

static void test_hosts_and_calls(void **state)
{
	static const char *const hosts[] = {"example.org:443", NULL};
	auto_free char *by_proxy = profile("c 127.0.0.1:4000\n", hosts), *direct = profile("c 192.0.2.1:22\ns ptrace\n", hosts);

	(void)state;
	assert_true(has_line(by_proxy, "allow example.org:443"));
	assert_null(strstr(by_proxy, "net host"));
	assert_true(has_line(direct, "net host"));
	assert_non_null(strstr(direct, "192.0.2.1:22"));
	assert_non_null(strstr(direct, "syscalls deny socket,"));
	assert_null(strstr(direct, ",ptrace,"));
}

/* Notes come from a process that an attacker may have a hand in. */
static void test_notes_that_are_none_are_passed_over(void **state)
{
	auto_free char *text = profile("p\np zz /x\np 82 relative\nq\n\np 82\nc\ns\nb \n", NULL);

	(void)state;
	assert_true(has_line(text, "bare"));
	assert_null(strstr(text, "\nr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		learned_test(test_paths_are_relative_to_where_it_started),
		learned_test(test_what_lies_in_something_shown_is_left_out),
		learned_test(test_many_files_become_their_directory),
		learned_test(test_homes_and_secrets_are_never_opened),
		learned_test(test_hosts_and_calls),
		learned_test(test_notes_that_are_none_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
