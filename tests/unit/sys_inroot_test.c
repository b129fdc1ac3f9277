/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/inroot.h"
#include "temp.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* root/ is the root; everything beside it in the temporary directory is the outside. */
static int make_root(const struct temp *t)
{
	assert_int_equal(mkdirat(t->dir, "root", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "outside", 0755), 0);
	return openat(t->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_same(int fd, int dir, const char *name)
{
	struct stat a, b;

	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(dir, name, &b, 0), 0);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void test_open_takes_links_as_seen_from_inside(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);

	temp_write(t->dir, "secret", "outside");
	temp_write(root, "secret", "inside");
	assert_int_equal(symlinkat("/secret", root, "absolute"), 0);
	assert_int_equal(symlinkat("../../../secret", root, "dots"), 0);
	const char *const names[] = {"absolute", "/absolute", "dots", "../secret", "/../../secret"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_close int fd = inroot_open_raw(root, names[i], O_RDONLY, 0);

		assert_true(fd >= 0);
		assert_true(is_same(fd, root, "secret"));
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
}

static void test_open_follows_no_magic_link(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(inroot_open(root, "/proc/self/root/etc", O_PATH, STEP_TARGET, &e), -ELOOP);
	assert_int_equal(e.step, STEP_TARGET);
	assert_string_equal(e.object, "/proc/self/root/etc");
	(void)close(root);
}

static void test_mkdirs_makes_what_is_missing(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	auto_close int fd = inroot_mkdirs(root, "//a/b//c/", 0755, NULL);
	auto_close int again = inroot_mkdirs(root, "a/b/c", 0755, NULL);
	auto_close int top = inroot_mkdirs(root, "/", 0755, NULL);
	auto_close int empty = inroot_mkdirs(root, "", 0755, NULL);
	auto_close int dots = inroot_mkdirs(root, "new/../../x/./y", 0755, NULL);

	assert_true(is_same(fd, root, "a/b/c"));
	assert_true(is_same(again, root, "a/b/c"));
	assert_true(is_same(top, root, "."));
	assert_true(is_same(empty, root, "."));
	assert_true(is_same(dots, root, "x/y"));
	assert_false(exists(t->dir, "x"));
}

static void test_mkdirs_follows_links_inside(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);

	assert_int_equal(mkdirat(root, "run", 0755), 0);
	assert_int_equal(mkdirat(root, "var", 0755), 0);
	assert_int_equal(symlinkat("/run", root, "var/run"), 0);
	auto_close int fd = inroot_mkdirs(root, "/var/run/a/b", 0755, NULL);

	assert_true(is_same(fd, root, "run/a/b"));
}

static void test_mkdirs_refuses_dangling_symlink(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	struct nook_error e = NOOK_ERROR_INIT;

	assert_int_equal(symlinkat("/gone", root, "link"), 0);
	assert_int_equal(symlinkat("../outside/new", root, "out"), 0);
	assert_int_equal(inroot_mkdirs(root, "link", 0755, &e), -ENOENT);
	assert_int_equal(inroot_mkdirs(root, "link/below", 0755, &e), -ENOENT);
	assert_int_equal(inroot_mkdirs(root, "out/x", 0755, &e), -ENOENT);
	assert_int_equal(inroot_mkfile(root, "out", 0644, &e), -ENOENT);
	assert_string_equal(e.object, "out");
	assert_false(exists(root, "gone"));
	assert_false(exists(t->dir, "outside/new"));
}

static void test_mkdirs_refuses_file_and_overlong(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	char longer[PATH_MAX + 8];

	temp_write(root, "file", "");
	assert_int_equal(inroot_mkdirs(root, "file", 0755, NULL), -ENOTDIR);
	assert_int_equal(inroot_mkdirs(root, "file/x", 0755, NULL), -ENOTDIR);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(inroot_mkdirs(root, longer, 0755, NULL), -ENAMETOOLONG);
	longer[300] = 0;
	assert_int_equal(inroot_mkdirs(root, longer, 0755, NULL), -ENAMETOOLONG);
}

static void test_mkfile_makes_a_file_or_takes_what_is_there(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	auto_close int made = inroot_mkfile(root, "/etc/deep/file", 0644, NULL);
	struct stat st;

	assert_int_equal(fstat(made, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
	assert_int_equal(symlinkat("/etc/deep/file", root, "link"), 0);
	auto_close int fifo = inroot_mkfile(root, "fifo", 0644, NULL);
	auto_close int link = inroot_mkfile(root, "link", 0644, NULL);

	assert_true(is_same(fifo, root, "fifo"));
	assert_true(is_same(link, root, "etc/deep/file"));
	assert_int_equal(inroot_mkfile(root, "/", 0644, NULL) >= 0, 1);
	assert_int_equal(inroot_mkfile(root, "none/..", 0644, NULL), -EINVAL);
}

static void test_parent_splits_the_name(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	char last[NAME_MAX + 1];
	auto_close int parent = inroot_parent(root, "/a/b/name//", 0755, last, sizeof(last), NULL);
	auto_close int top = inroot_parent(root, "name", 0755, last, sizeof(last), NULL);

	assert_true(is_same(parent, root, "a/b"));
	assert_true(is_same(top, root, "."));
	assert_string_equal(last, "name");
	assert_int_equal(inroot_parent(root, "/", 0755, last, sizeof(last), NULL), -EINVAL);
	assert_int_equal(inroot_parent(root, "a/..", 0755, last, sizeof(last), NULL), -EINVAL);
	assert_int_equal(inroot_parent(root, "", 0755, last, sizeof(last), NULL), -EINVAL);
}

static void test_real_dir_refuses_links(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int proc = inroot_real_dir(root, "/proc", 0555, NULL);

	assert_true(is_same(proc, root, "proc"));
	assert_int_equal(symlinkat("proc", root, "sys"), 0);
	temp_write(root, "dev", "");
	assert_int_equal(inroot_real_dir(root, "/sys", 0755, &e), -ENOTDIR);
	assert_int_equal(inroot_real_dir(root, "/dev", 0755, &e), -ENOTDIR);
	assert_int_equal(inroot_real_dir(root, "/proc/x", 0755, &e), -EINVAL);
	assert_int_equal(inroot_real_dir(root, "..", 0755, &e), -EINVAL);
	assert_int_equal(inroot_real_dir(root, "/", 0755, &e), -EINVAL);
}

struct racer {
	int root;
	atomic_bool stop;
};

/* Swaps root/swap between a directory and a link that leads outside, as fast as it can. */
static void *swap_forever(void *arg)
{
	struct racer *r = arg;

	while (!atomic_load(&r->stop))
		(void)syscall(SYS_renameat2, r->root, "swap", r->root, "planted", 2 /* RENAME_EXCHANGE */);
	return NULL;
}

static void test_races_never_touch_the_outside(void **state)
{
	struct temp *t = *state;
	auto_close int root = make_root(t);
	struct racer r = {.root = root};
	pthread_t thread;
	int made = 0;

	assert_int_equal(mkdirat(root, "swap", 0755), 0);
	assert_int_equal(symlinkat("../../../../../../../../../../../../tmp", root, "dots"), 0);
	assert_int_equal(symlinkat("../outside", root, "planted"), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_forever, &r), 0);
	for (int i = 0; i < 3000; i++) {
		char name[64], file[64];

		(void)snprintf(name, sizeof(name), "swap/d%d/e", i);
		(void)snprintf(file, sizeof(file), "swap/f%d", i);
		int dir = inroot_mkdirs(root, name, 0755, NULL), fd = inroot_mkfile(root, file, 0644, NULL);

		made += dir >= 0;
		close_fd(&dir);
		close_fd(&fd);
	}
	atomic_store(&r.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(made > 0);
	/* The link points to root/outside when it is taken from inside, and there is none; the real one stays empty. */
	assert_int_equal(unlinkat(t->dir, "outside", AT_REMOVEDIR), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_open_takes_links_as_seen_from_inside),
		cmocka_unit_test(test_open_follows_no_magic_link),
		temp_test(test_mkdirs_makes_what_is_missing),
		temp_test(test_mkdirs_follows_links_inside),
		temp_test(test_mkdirs_refuses_dangling_symlink),
		temp_test(test_mkdirs_refuses_file_and_overlong),
		temp_test(test_mkfile_makes_a_file_or_takes_what_is_there),
		temp_test(test_parent_splits_the_name),
		temp_test(test_real_dir_refuses_links),
		temp_test(test_races_never_touch_the_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
