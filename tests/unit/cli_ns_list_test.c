/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of namespaces over a /proc made of plain files and links. */
#include "base/fd.h"
#include "cli/ns_list.h"
#include "tests.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

struct fake {
	char path[64];
	int proc;
	struct arena *arena;
	struct ns_list list;
};

static void add_link(const struct fake *f, int pid, const char *type, const char *text)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%d", pid);
	(void)mkdirat(f->proc, name, 0755);
	(void)snprintf(name, sizeof(name), "%d/ns", pid);
	(void)mkdirat(f->proc, name, 0755);
	(void)snprintf(name, sizeof(name), "%d/ns/%s", pid, type);
	assert_int_equal(symlinkat(text, f->proc, name), 0);
}

static int make(void **state)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->path, sizeof(f->path), "/tmp/nook-test-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->proc = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->arena = arena_new();
	assert_int_equal(mkdirat(f->proc, "self", 0755), 0);
	assert_int_equal(mkdirat(f->proc, "sys", 0755), 0);
	*state = f;
	return 0;
}

static int unmake(void **state)
{
	struct fake *f = *state;

	(void)close(f->proc);
	arena_free(f->arena);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, NULL), 0);
	free(f);
	return 0;
}

static void read_with(struct fake *f, const char *mountinfo)
{
	auto_close int file = openat(f->proc, "self/mountinfo", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write(file, mountinfo, strlen(mountinfo)), 0);
	assert_int_equal(ns_list_read(f->arena, f->proc, &f->list, NULL), 0);
}

static const struct ns_entry *entry(const struct fake *f, int flag, uint64_t inode)
{
	return ns_list_find(&f->list, ns_type_by_flag(flag), inode);
}

static void test_members_are_counted(void **state)
{
	struct fake *f = *state;

	add_link(f, 30, "net", "net:[5]");
	add_link(f, 7, "net", "net:[5]");
	add_link(f, 200, "net", "net:[4]");
	add_link(f, 200, "pid", "pid:[5]");
	/* What a process has ready for its children is not where it is. */
	add_link(f, 200, "pid_for_children", "pid:[6]");
	add_link(f, 201, "net", "nonsense");
	read_with(f, "");
	assert_int_equal(f->list.n, 3);
	assert_int_equal(entry(f, CLONE_NEWNET, 5)->members, 2);
	assert_int_equal(entry(f, CLONE_NEWNET, 5)->pid, 7);
	assert_int_equal(entry(f, CLONE_NEWNET, 4)->pid, 200);
	assert_int_equal(entry(f, CLONE_NEWPID, 5)->members, 1);
	assert_null(entry(f, CLONE_NEWPID, 6));
	assert_null(entry(f, CLONE_NEWUTS, 5));
	/* No kernel stands behind these links, so nobody owns them. */
	assert_false(entry(f, CLONE_NEWNET, 5)->owned);
}

static void test_mounts_pin(void **state)
{
	struct fake *f = *state;

	add_link(f, 7, "net", "net:[5]");
	read_with(f, "1 1 0:4 net:[5] /run/netns/a rw - nsfs nsfs rw\n"
	             "2 1 0:4 net:[5] /run/with\\040blank rw shared:3 - nsfs nsfs rw\n"
	             "3 1 0:4 uts:[9] /run/uts rw - nsfs nsfs rw\n"
	             "4 1 0:4 net:[8] /run/other rw - tmpfs tmpfs rw\n"
	             "5 1 0:4 bad:[8] /run/bad rw - nsfs nsfs rw\n");
	assert_int_equal(f->list.n, 2);
	assert_int_equal(entry(f, CLONE_NEWNET, 5)->members, 1);
	assert_int_equal(entry(f, CLONE_NEWNET, 5)->n_pins, 2);
	assert_string_equal(entry(f, CLONE_NEWNET, 5)->pins[1], "/run/with blank");
	assert_int_equal(entry(f, CLONE_NEWUTS, 9)->members, 0);
	assert_int_equal(entry(f, CLONE_NEWUTS, 9)->pid, 0);
}

static void test_nothing_to_see(void **state)
{
	struct fake *f = *state;

	read_with(f, "");
	assert_int_equal(f->list.n, 0);
	assert_null(entry(f, CLONE_NEWNET, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_members_are_counted, make, unmake),
		cmocka_unit_test_setup_teardown(test_mounts_pin, make, unmake),
		cmocka_unit_test_setup_teardown(test_nothing_to_see, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
