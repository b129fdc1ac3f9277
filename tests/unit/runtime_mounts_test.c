/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/mounts.h"
#include "temp.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void test_reads_escapes_and_optional_fields(void **state)
{
	struct temp *t = *state;
	AUTO(arena_free) struct arena *a = arena_new();
	struct mount_entry *list = NULL;
	size_t n = 0;

	temp_write(t->dir, "mountinfo",
	           "36 35 98:0 /mnt\\0401 /a\\040b\\011c\\134d rw,noatime master:1 - ext3 /dev/ro\\040ot rw,errors=continue\n"
	           "37 35 0:5 / /plain ro shared:2 propagate_from:3 - tmpfs none rw\n"
	           "38 35 0:6 / /bare rw - proc proc rw\n"
	           "a line of another form\n"
	           "\n");
	assert_int_equal(mounts_read(t->dir, "mountinfo", a, &list, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].root, "/mnt 1");
	assert_string_equal(list[0].target, "/a b\tc\\d");
	assert_string_equal(list[0].options, "rw,noatime");
	assert_string_equal(list[0].propagation, "master:1");
	assert_string_equal(list[0].fstype, "ext3");
	assert_string_equal(list[0].source, "/dev/ro ot");
	assert_string_equal(list[0].super_options, "rw,errors=continue");
	assert_string_equal(list[1].propagation, "shared:2 propagate_from:3");
	assert_string_equal(list[2].propagation, "");
	assert_string_equal(list[2].target, "/bare");
}

/* In a mount namespace of its own: 0, 2 when there is no namespace, or the number of what went wrong. */
static int remove_with_mounts(const struct temp *t)
{
	char keep[128], go[128], below[128], link[128];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 2;
	(void)snprintf(keep, sizeof(keep), "%s/keep", t->path);
	(void)snprintf(go, sizeof(go), "%s/go", t->path);
	(void)snprintf(below, sizeof(below), "%s/go/one/two", t->path);
	(void)snprintf(link, sizeof(link), "%s/gone", t->path);
	/* A stack: the tree on a mount of its own, in it a bind mount, over that another one. */
	if (mount(go, go, NULL, MS_BIND, NULL) < 0 || mount(keep, below, NULL, MS_BIND, NULL) < 0 ||
	    mount(keep, below, NULL, MS_BIND, NULL) < 0)
		return 3;
	/* A neighbour whose path begins in the same way is not below. */
	if (mount(keep, link, NULL, MS_BIND, NULL) < 0)
		return 4;
	if (mounts_tree_remove(go, NULL) < 0)
		return 5;
	if (access(go, F_OK) == 0)
		return 6;
	(void)snprintf(below, sizeof(below), "%s/gone/file", t->path);
	if (access(below, F_OK) < 0)
		return 7;
	return mounts_tree_remove(go, NULL) < 0 ? 8 : 0;
}

static void test_a_tree_goes_with_its_mounts_and_not_with_what_they_show(void **state)
{
	struct temp *t = *state;
	int status = 0;
	pid_t child;

	assert_int_equal(mkdirat(t->dir, "keep", 0700), 0);
	temp_write(t->dir, "keep/file", "x");
	assert_int_equal(mkdirat(t->dir, "gone", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "go", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "go/one", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "go/one/two", 0700), 0);
	temp_write(t->dir, "go/one/file", "x");
	child = fork();
	if (child == 0)
		_exit(remove_with_mounts(t));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(faccessat(t->dir, "keep/file", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_reads_escapes_and_optional_fields),
		temp_test(test_a_tree_goes_with_its_mounts_and_not_with_what_they_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
