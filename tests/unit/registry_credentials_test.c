/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credentials.h"

#include "base/buf.h"
#include "temp.h"

struct place {
	char path[128];
	const char *files[3];
	struct credential_places places;
};

static void make(struct place *p, const struct temp *t)
{
	static char second[128];

	(void)snprintf(p->path, sizeof(p->path), "%s/new/auth.json", t->path);
	(void)snprintf(second, sizeof(second), "%s/config.json", t->path);
	p->files[0] = p->path;
	p->files[1] = second;
	p->files[2] = NULL;
	p->places = (struct credential_places){.files = p->files};
}

static const char *who(const struct place *p, const char *registry, const char *repository)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct credentials c = {0};
	static char text[256];
	int r = credentials_find(&p->places, registry, repository, a, &c, NULL);

	if (r)
		return r == 1 ? "nobody" : "error";
	if (c.identity_token)
		(void)snprintf(text, sizeof(text), "token %s", c.identity_token);
	else
		(void)snprintf(text, sizeof(text), "%s:%s", c.username, c.password);
	return text;
}

static void test_the_longest_key_wins(void **state)
{
	const struct temp *t = *state;
	struct place p;

	make(&p, t);
	temp_write(t->dir, "config.json",
		"{\"auths\":{"
		"\"host\":{\"auth\":\"aG9zdDpw\"},"
		"\"host/team\":{\"auth\":\"dGVhbTpw\"},"
		"\"host/team/app\":{\"auth\":\"YXBwOnA6cQ==\"},"
		"\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnA=\"},"
		"\"http://old.example/v2/\":{\"auth\":\"b2xkOnA=\"},"
		"\"token.example\":{\"auth\":\"\",\"identitytoken\":\"refresh\"},"
		"\"broken.example\":{\"auth\":\"!!!!\"},"
		"\"empty.example\":{}}}");
	assert_string_equal(who(&p, "host", NULL), "host:p");
	assert_string_equal(who(&p, "host", "other"), "host:p");
	assert_string_equal(who(&p, "host", "teams/app"), "host:p");
	assert_string_equal(who(&p, "host", "team/x"), "team:p");
	assert_string_equal(who(&p, "host", "team/app"), "app:p:q");
	assert_string_equal(who(&p, "host:5000", "team/app"), "nobody");
	assert_string_equal(who(&p, "docker.io", "library/debian"), "hub:p");
	assert_string_equal(who(&p, "old.example", "x"), "old:p");
	assert_string_equal(who(&p, "token.example", "x"), "token refresh");
	assert_string_equal(who(&p, "empty.example", "x"), "nobody");
	assert_string_equal(who(&p, "broken.example", "x"), "error");
}

static void test_saved_and_erased(void **state)
{
	const struct temp *t = *state;
	AUTO_VALUE(buf_done) struct buf text = {0};
	const struct credentials alice = {.username = "alice", .password = "a:b"}, bob = {.username = "bob", .password = ""};
	struct stat st;
	struct place p;

	make(&p, t);
	temp_write(t->dir, "config.json", "{\"other\":[1],\"auths\":{\"https://host/v1/\":{\"auth\":\"aG9zdDpw\"}}}");
	assert_int_equal(credentials_save(&p.places, "host", &alice, NULL), 0);
	assert_int_equal(credentials_save(&p.places, "docker.io", &bob, NULL), 0);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_string_equal(who(&p, "host", "x"), "alice:a:b");
	assert_string_equal(who(&p, "docker.io", "x"), "bob:");
	assert_int_equal(credentials_erase(&p.places, "host", NULL), 2);
	assert_string_equal(who(&p, "host", "x"), "nobody");
	assert_string_equal(who(&p, "docker.io", "x"), "bob:");
	assert_int_equal(credentials_erase(&p.places, "host", NULL), 0);
	/* What is none of ours stays. */
	assert_int_equal(file_read(t->dir, "config.json", 4096, &text, NULL), 0);
	assert_non_null(strstr(buf_text(&text), "\"other\""));
}

static void test_base64(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	static const char *const wrong[] = {"", "a", "YQ==", "YTpi\n", "====", "YTpiYg=", "YQA6Yg==", "YTpiDQo="};
	struct credentials c = {.username = "u", .password = "p"};

	assert_string_equal(credentials_encode(&c, a), "dTpw");
	assert_int_equal(credentials_decode("dTpw", a, &c), 0);
	assert_string_equal(c.username, "u");
	assert_string_equal(c.password, "p");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(credentials_decode(wrong[i], a, &c), -EINVAL);
}

static void test_helpers(void **state)
{
	static const char helper[] =
		"#!/bin/sh\nread -r server\necho 'a warning' >&2\ncase $1:$server in\n"
		"get:token.example) echo '{\"ServerURL\":\"x\",\"Username\":\"<token>\",\"Secret\":\"refresh\"}';;\n"
		"get:none.example) echo 'credentials not found in native keychain'; exit 1;;\n"
		"get:broken.example) echo 'the keyring is locked'; exit 1;;\n"
		"get:*) echo \"{\\\"ServerURL\\\":\\\"x\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"$server\\\"}\";;\n"
		"esac\n";
	const struct temp *t = *state;
	char path[200];
	struct place p;

	make(&p, t);
	temp_write(t->dir, "docker-credential-test", helper);
	assert_int_equal(fchmodat(t->dir, "docker-credential-test", 0755, 0), 0);
	temp_write(t->dir, "config.json",
		"{\"auths\":{\"file.example\":{\"auth\":\"dTpw\"},\"helped.example\":{}},"
		"\"credHelpers\":{\"token.example\":\"test\",\"evil.example\":\"../x\",\"none.example\":\"test\",\"broken.example\":\"test\"},"
		"\"credsStore\":\"test\"}");
	(void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", t->path);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_string_equal(who(&p, "token.example", "x"), "token refresh");
	assert_string_equal(who(&p, "file.example", "x"), "u:p");
	assert_string_equal(who(&p, "helped.example", "x"), "me:helped.example");
	assert_string_equal(who(&p, "docker.io", "x"), "me:https://index.docker.io/v1/");
	assert_string_equal(who(&p, "none.example", "x"), "nobody");
	assert_string_equal(who(&p, "broken.example", "x"), "error");
	assert_string_equal(who(&p, "evil.example", "x"), "error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_the_longest_key_wins),
		temp_test(test_saved_and_erased),
		cmocka_unit_test(test_base64),
		temp_test(test_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
