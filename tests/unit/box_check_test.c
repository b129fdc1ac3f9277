/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the way of boxes, told from a /proc that is made up. */
#include "temp.h"

#include "base/alloc.h"
#include "box/check.h"

enum { NOT_PRIVILEGED = 0, PRIVILEGED = 1 };

static void put(int dir, const char *path, const char *text)
{
	char name[128];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		(void)mkdirat(dir, name, 0755);
	}
	temp_write(dir, path, text);
}

/* A machine on which nothing is in the way. */
static void make_good(int dir)
{
	put(dir, "self/ns/user", "");
	put(dir, "self/uid_map", "         0          0 4294967295\n");
	put(dir, "self/status", "Name:\tnook\nSeccomp:\t0\n");
	put(dir, "self/attr/current", "unconfined\n");
	put(dir, "self/mountinfo", "22 1 0:21 / /proc rw,nosuid - proc proc rw\n");
	put(dir, "sys/user/max_user_namespaces", "15000\n");
	put(dir, "sys/kernel/unprivileged_userns_clone", "1\n");
	put(dir, "sys/kernel/apparmor_restrict_unprivileged_userns", "0\n");
}

static struct check find(const struct check *list, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].what, what) == 0)
			return list[i];
	fail_msg("nothing is said of %s", what);
	return (struct check){0};
}

static void test_nothing_is_in_the_way(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct check *list = NULL;
	struct temp *t = *state;
	size_t n = 0;

	make_good(t->dir);
	check_proc(t->dir, NOT_PRIVILEGED, a, &list, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].state, CHECK_OK);
		assert_null(list[i].fix);
	}
}

static void test_each_obstacle_has_its_fix(void **state)
{
	static const struct {
		const char *file, *text, *what, *fix;
		enum check_state ordinary, root;
	} rows[] = {
		{"sys/user/max_user_namespaces", "0\n", "user namespaces", "sysctl -w user.max_user_namespaces", CHECK_MISSING, CHECK_MISSING},
		{"sys/kernel/unprivileged_userns_clone", "0\n", "user namespaces", "sysctl -w kernel.unprivileged_userns_clone=1", CHECK_MISSING, CHECK_OK},
		{"sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "user namespaces", "apparmor_parser -r", CHECK_MISSING, CHECK_OK},
		{"self/uid_map", "", "user namespaces", "id map", CHECK_MISSING, CHECK_MISSING},
		{"self/status", "Name:\tnook\nSeccomp:\t2\n", "user namespaces", "nesting", CHECK_LIMITED, CHECK_LIMITED},
		{"self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n23 22 0:5 /null /proc/kcore rw - tmpfs tmpfs rw\n", "a new /proc",
			"systempaths=unconfined", CHECK_MISSING, CHECK_MISSING},
	};
	struct temp *t = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int privileged = NOT_PRIVILEGED; privileged <= PRIVILEGED; privileged++) {
			AUTO(arena_free) struct arena *a = arena_new();
			struct check found;
			struct check *list = NULL;
			size_t n = 0;

			make_good(t->dir);
			put(t->dir, rows[i].file, rows[i].text);
			check_proc(t->dir, privileged, a, &list, &n);
			found = find(list, n, rows[i].what);
			assert_int_equal(found.state, privileged ? rows[i].root : rows[i].ordinary);
			if (found.state != CHECK_OK)
				assert_non_null(strstr(found.fix, rows[i].fix));
		}
	}
}

static void test_a_profile_lifts_the_restriction_of_apparmor(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct check *list = NULL;
	struct temp *t = *state;
	size_t n = 0;

	make_good(t->dir);
	put(t->dir, "sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
	put(t->dir, "self/attr/current", "nook (unconfined)\n");
	check_proc(t->dir, NOT_PRIVILEGED, a, &list, &n);
	assert_int_equal(find(list, n, "user namespaces").state, CHECK_OK);
}

static void test_a_kernel_without_user_namespaces(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct check *list = NULL;
	struct temp *t = *state;
	size_t n = 0;

	check_proc(t->dir, NOT_PRIVILEGED, a, &list, &n);
	assert_int_equal(find(list, n, "user namespaces").state, CHECK_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_nothing_is_in_the_way),
		temp_test(test_each_obstacle_has_its_fix),
		temp_test(test_a_profile_lifts_the_restriction_of_apparmor),
		temp_test(test_a_kernel_without_user_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
