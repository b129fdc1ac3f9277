/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/userdb.h"
#include "temp.h"

#define PASSWD_TEXT                            \
	"# comment:x:7:7::/:\n"                \
	"root:x:0:0:root:/root:/bin/bash\n"    \
	"broken:x:nan:1::/b:\n"                \
	"huge:x:4294967296:0::/huge:\n"        \
	"short:x\n"                            \
	"\n"                                   \
	"+nis::0:0:::\n"                       \
	"1000:x:55:55::/numeric-name:\n"       \
	"alice:x:1000:1001:Alice,,:/home/alice:/bin/sh\n" \
	"nohome:x:1002:100\n"
#define GROUP_TEXT                    \
	"root:x:0:\n"                 \
	"wheel:x:10:root,alice,bob\n" \
	"alice:x:1001:alice\n"        \
	"users:x:100:bob\n"           \
	"docker:x:999:bob,alice"

static void write_etc(const struct temp *t, const char *passwd, const char *group)
{
	assert_int_equal(mkdirat(t->dir, "etc", 0755), 0);
	if (passwd)
		temp_write(t->dir, "etc/passwd", passwd);
	if (group)
		temp_write(t->dir, "etc/group", group);
}

static void test_names_and_numbers(void **state)
{
	static const struct {
		const char *who;
		uint32_t uid, gid;
		size_t n_groups;
		bool known;
		const char *home;
	} cases[] = {
		{"root", 0, 0, 1, true, "/root"},
		{"alice", 1000, 1001, 2, true, "/home/alice"},
		{"1000", 1000, 1001, 2, true, "/home/alice"},
		{"01000", 1000, 1001, 2, true, "/home/alice"},
		{"alice:users", 1000, 100, 0, true, "/home/alice"},
		{"alice:", 1000, 1001, 2, true, "/home/alice"},
		{"1000:1000", 1000, 1000, 0, true, "/home/alice"},
		{"4242", 4242, 0, 0, false, "/"},
		{"4242:wheel", 4242, 10, 0, false, "/"},
		{"55", 55, 55, 0, true, "/numeric-name"},
		{"4294967294:4294967294", 4294967294, 4294967294, 0, false, "/"},
		{"nohome", 1002, 100, 0, true, "/"},
		{"", 0, 0, 1, true, "/root"},
		{":users", 0, 100, 0, true, "/root"},
	};
	struct temp *t = *state;

	write_etc(t, PASSWD_TEXT, GROUP_TEXT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		struct userdb_user u;
		uint32_t groups[4];

		assert_int_equal(userdb_find(t->dir, cases[i].who, groups, 4, &u, &e), 0);
		assert_int_equal(u.uid, cases[i].uid);
		assert_int_equal(u.gid, cases[i].gid);
		assert_int_equal(u.n_groups, cases[i].n_groups);
		assert_int_equal(u.known, cases[i].known);
		assert_string_equal(u.home, cases[i].home);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *who;
		int error;
		int step;
	} cases[] = {
		{"nobody", -ENOENT, STEP_USER},       {"-1", -ENOENT, STEP_USER},
		{"+1", -ENOENT, STEP_USER},           {" 1", -ENOENT, STEP_USER},
		{"0x1", -ENOENT, STEP_USER},          {"1k", -ENOENT, STEP_USER},
		{"4294967296", -ERANGE, STEP_USER},   {"4294967295", -ERANGE, STEP_USER},
		{"99999999999999999999999", -ERANGE, STEP_USER},
		{"0:4294967296", -ERANGE, STEP_GROUPS}, {"root:none", -ENOENT, STEP_GROUPS},
		{"root:10:10", -ENOENT, STEP_GROUPS}, {"huge", -ENOENT, STEP_USER},
		{"broken", -ENOENT, STEP_USER},       {"short", -ENOENT, STEP_USER},
		{"# comment", -ENOENT, STEP_USER},    {"+nis", -ENOENT, STEP_USER},
	};
	struct temp *t = *state;

	write_etc(t, PASSWD_TEXT, GROUP_TEXT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		struct userdb_user u;
		uint32_t groups[4];

		assert_int_equal(userdb_find(t->dir, cases[i].who, groups, 4, &u, &e), cases[i].error);
		assert_int_equal(e.step, cases[i].step);
	}
}

static void test_files_may_be_missing_or_no_files(void **state)
{
	struct temp *t = *state;
	struct userdb_user u;
	uint32_t groups[4];

	assert_int_equal(userdb_find(t->dir, "7", groups, 4, &u, NULL), 0);
	assert_int_equal(userdb_find(t->dir, "name", groups, 4, &u, NULL), -ENOENT);
	write_etc(t, NULL, NULL);
	/* A FIFO must neither be waited for nor read; a link leads nowhere but inside the root. */
	assert_int_equal(mkfifoat(t->dir, "etc/passwd", 0644), 0);
	assert_int_equal(symlinkat("/../../../etc/passwd", t->dir, "etc/group"), 0);
	assert_int_equal(userdb_find(t->dir, "7", groups, 4, &u, NULL), 0);
	assert_int_equal(u.uid, 7);
	assert_int_equal(userdb_find(t->dir, "root", groups, 4, &u, NULL), -ENOENT);
	assert_int_equal(unlinkat(t->dir, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("/dev/zero", t->dir, "etc/passwd"), 0);
	assert_int_equal(userdb_find(t->dir, "root", groups, 4, &u, NULL), -ENOENT);
}

static void test_long_lines_and_zero_bytes(void **state)
{
	struct temp *t = *state;
	struct userdb_user u;
	uint32_t groups[4];
	char *text = malloc(200000);
	size_t n = 0;

	write_etc(t, NULL, NULL);
	memset(text, 'a', 100000);
	n = 100000 + (size_t)sprintf(text + 100000, ":x:1:1::/:\nlate:x:5:6::/late:\n");
	(void)n;
	temp_write(t->dir, "etc/passwd", text);
	strcpy(text, "big:x:77:");
	for (n = strlen(text); n < 100000; n += 5)
		memcpy(text + n, "user,", 5);
	strcpy(text + n, "late\nother:x:78:alate,latex\n");
	temp_write(t->dir, "etc/group", text);
	assert_int_equal(userdb_find(t->dir, "late", groups, 4, &u, NULL), 0);
	assert_int_equal(u.uid, 5);
	assert_int_equal(u.n_groups, 1);
	assert_int_equal(groups[0], 77);
	free(text);

	int fd = openat(t->dir, "etc/passwd", O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, "root\0x:x:9:9::/:\nroot:x:3:3::/:\n", 32), 32);
	(void)close(fd);
	assert_int_equal(userdb_find(t->dir, "root", groups, 4, &u, NULL), 0);
	assert_int_equal(u.uid, 3);
}

static void test_reads_no_more_than_the_limit(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct userdb_user u;
	uint32_t groups[4];
	int fd;

	write_etc(t, "root:x:0:0::/root:\n", NULL);
	fd = openat(t->dir, "etc/passwd", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	(void)close(fd);
	assert_int_equal(userdb_find(t->dir, "root", groups, 4, &u, &e), 0);
	assert_int_equal(userdb_find(t->dir, "alice", groups, 4, &u, &e), -EFBIG);
	assert_string_equal(e.object, "/etc/passwd");
}

static void test_groups_by_name_and_room(void **state)
{
	struct temp *t = *state;
	struct userdb_user u;
	uint32_t groups[1], gid = 1;

	write_etc(t, PASSWD_TEXT, GROUP_TEXT);
	assert_int_equal(userdb_group(t->dir, "docker", &gid, NULL), 0);
	assert_int_equal(gid, 999);
	assert_int_equal(userdb_group(t->dir, "12345", &gid, NULL), 0);
	assert_int_equal(gid, 12345);
	assert_int_equal(userdb_group(t->dir, "dock", &gid, NULL), -ENOENT);
	assert_int_equal(gid, 12345);
	assert_int_equal(userdb_find(t->dir, "alice", groups, 1, &u, NULL), -E2BIG);
	assert_int_equal(userdb_by_uid(t->dir, 1000, &u, NULL), 0);
	assert_string_equal(u.home, "/home/alice");
	assert_int_equal(userdb_by_uid(t->dir, 4242, &u, NULL), 1);
	assert_string_equal(u.home, "/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_names_and_numbers),
		temp_test(test_refused),
		temp_test(test_files_may_be_missing_or_no_files),
		temp_test(test_long_lines_and_zero_bytes),
		temp_test(test_reads_no_more_than_the_limit),
		temp_test(test_groups_by_name_and_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
