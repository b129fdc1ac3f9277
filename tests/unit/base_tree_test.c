/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "temp.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void test_absent_is_fine(void **state)
{
	struct temp *t = *state;

	assert_int_equal(tree_remove(t->dir, "none", NULL), 0);
	assert_int_equal(tree_remove(t->dir, "none/below", NULL), 0);
}

static void test_links_are_removed_and_not_followed(void **state)
{
	struct temp *t = *state;

	assert_int_equal(mkdirat(t->dir, "keep", 0700), 0);
	temp_write(t->dir, "keep/file", "x");
	assert_int_equal(mkdirat(t->dir, "go", 0700), 0);
	assert_int_equal(symlinkat("../keep", t->dir, "go/link"), 0);
	assert_int_equal(tree_remove(t->dir, "go", NULL), 0);
	assert_int_equal(faccessat(t->dir, "keep/file", F_OK, 0), 0);
	assert_int_equal(faccessat(t->dir, "go", F_OK, 0), -1);
	assert_int_equal(symlinkat("keep", t->dir, "top"), 0);
	assert_int_equal(tree_remove(t->dir, "top", NULL), 0);
	assert_int_equal(faccessat(t->dir, "keep/file", F_OK, 0), 0);
}

static void test_directories_without_rights_go_too(void **state)
{
	struct temp *t = *state;

	assert_int_equal(mkdirat(t->dir, "a", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "a/b", 0700), 0);
	temp_write(t->dir, "a/b/file", "x");
	assert_int_equal(fchmodat(t->dir, "a/b", 0, 0), 0);
	assert_int_equal(fchmodat(t->dir, "a", 0500, 0), 0);
	assert_int_equal(tree_remove(t->dir, "a", NULL), 0);
	assert_int_equal(faccessat(t->dir, "a", F_OK, 0), -1);
}

static void test_a_tree_deeper_than_descriptors_goes(void **state)
{
	enum { DEPTH = 1300 };
	struct temp *t = *state;
	int dir = dup(t->dir);

	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "d", 0700), 0);
		/* Beside it a name like those that the removal makes. */
		if (i % 100 == 0)
			temp_write(dir, ".nook-removed-1", "x");
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(dir);
		dir = next;
	}
	(void)close(dir);
	assert_int_equal(tree_remove(t->dir, "d", NULL), 0);
	assert_int_equal(faccessat(t->dir, "d", F_OK, 0), -1);
}

/* In a mount namespace of its own: 0 when the mount was neither entered nor removed, 2 when there is no namespace. */
static int remove_around_mount(const struct temp *t)
{
	char from[128], to[128], go[128];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 2;
	(void)snprintf(from, sizeof(from), "%s/keep", t->path);
	(void)snprintf(to, sizeof(to), "%s/go/mounted", t->path);
	(void)snprintf(go, sizeof(go), "%s/go", t->path);
	/* The same file system: the device number does not tell. */
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return 3;
	/* By path: the descriptor still shows the mount namespace that was left. */
	if (tree_remove(AT_FDCWD, go, NULL) != -EXDEV || tree_remove(AT_FDCWD, to, NULL) != -EXDEV)
		return 4;
	return faccessat(t->dir, "keep/file", F_OK, 0) == 0 ? 0 : 5;
}

static void test_bind_mounts_are_not_entered(void **state)
{
	struct temp *t = *state;
	int status = 0;
	pid_t child;

	assert_int_equal(mkdirat(t->dir, "keep", 0700), 0);
	temp_write(t->dir, "keep/file", "x");
	assert_int_equal(mkdirat(t->dir, "go", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "go/mounted", 0700), 0);
	child = fork();
	if (child == 0)
		_exit(remove_around_mount(t));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_absent_is_fine),
		temp_test(test_links_are_removed_and_not_followed),
		temp_test(test_directories_without_rights_go_too),
		temp_test(test_a_tree_deeper_than_descriptors_goes),
		temp_test(test_bind_mounts_are_not_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
