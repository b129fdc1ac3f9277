/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests.h"

#include "box/box.h"
#include "nook.h"

#include <string.h>

static int refused(const char *text, struct nook_error *e)
{
	AUTO(box_free) struct nook_box *b = box_new();
	int r = box_add_text(b, text, e);

	return r;
}

static void test_rules_refuse_what_they_do_not_know(void **state)
{
	static const struct {
		const char *text, *object;
		int line;
	} bad[] = {
		{"jump high", "jump", 1},
		{"# fine\n\nnet wifi", "wifi", 3},
		{"ro", "ro", 1},
		{"bare please", "bare", 1},
		{"limit mem", "mem", 1},
		{"limit mem=much", "mem", 1},
		{"limit pids=0", "pids", 1},
		{"limit water=3", "water", 1},
		{"limit wall=-3s", "wall", 1},
		{"share pid", "pid", 1},
		{"env =x", "=x", 1},
		{"user me", "me", 1},
		{"tmp relative", "relative", 1},
		{"tmp /x,size=0", "/x,size=0", 1},
		{"rw /", "/", 1},
		{"ro /a:b", "/a:b", 1},
		{"rw /proc/self/fd/3:/x", "/proc/self/fd/3:/x", 1},
		{"overlay /:/x,keep=", "", 1},
		{"overlay /a:b", "/a:b", 1},
		{"proc some", "some", 1},
		{"map 0:1", "0:1", 1},
		{"map 0:1:0", "0:1:0", 1},
		{"map 0:1:2:3", "0:1:2:3", 1},
		{"dbus nodots", "nodots", 1},
		{"dbus org.example.", "org.example.", 1},
		{"userns please", "userns", 1},
		{"put /x=fd:one", "one", 1},
		{"hide /", "/", 1},
		{"best-effort luck", "luck", 1},
		{"syscalls all", "all", 1},
		{"net ns:relative", "ns:relative", 1},
		{"allow 127.1", "127.1", 1},
		{"allow example.org:0", "example.org:0", 1},
		{"net host\nallow example.org", "example.org", 2},
		{"publish 80", "80", 1},
		{"publish 0:80", "0:80", 1},
		{"publish localhost:80:80", "localhost:80:80", 1},
		{"publish 1:70000", "1:70000", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nook_error e = NOOK_ERROR_INIT;

		assert_true(refused(bad[i].text, &e) < 0);
		assert_string_equal(e.object, bad[i].object);
		assert_int_equal(e.rule, bad[i].line);
		assert_true(e.detail[0]);
	}
}

static void test_paths_are_absolute_and_clean(void **state)
{
	AUTO(box_free) struct nook_box *b = box_new();

	(void)state;
	b->base = "/home/me";
	assert_int_equal(box_add_text(b, "rw .\nro ../you/./docs:/docs\nro /a\\:b:/c\nro //x//y/", NULL), 0);
	assert_int_equal(b->n_paths, 4);
	assert_string_equal(b->paths[0].target, "/home/me");
	assert_string_equal(b->paths[1].source, "/home/you/docs");
	assert_string_equal(b->paths[1].target, "/docs");
	assert_string_equal(b->paths[2].source, "/a:b");
	assert_string_equal(b->paths[3].target, "/x/y");
}

static void test_later_rules_win(void **state)
{
	AUTO(box_free) struct nook_box *b = box_new();

	(void)state;
	assert_int_equal(box_add_text(b, "rw /a\nro /a\nlimit pids=5\nlimit pids=7,wall=1500ms\nenv A=1\nenv A=2\nnet host\nnet none", NULL), 0);
	assert_int_equal(b->n_paths, 1);
	assert_int_equal(b->paths[0].kind, BOX_PATH_RO);
	assert_int_equal(b->limits.pids.value, 7);
	assert_int_equal(b->limits.wall_us.value, 1500000);
	assert_int_equal(b->n_env, 1);
	assert_string_equal(b->env[0].value, "2");
	assert_int_equal(b->shared, 0);
}

static void test_allowed_hosts_mean_the_proxy(void **state)
{
	AUTO(box_free) struct nook_box *b = box_new();
	AUTO(box_free) struct nook_box *copy = NULL;

	(void)state;
	assert_int_equal(box_add_text(b, "allow example.org:443\nallow *.example.net\npublish [::1]:8080:80", NULL), 0);
	assert_int_equal(box_clone(b, &copy, NULL), 0);
	assert_int_equal(copy->net, BOX_NET_PROXY);
	assert_int_equal(copy->n_allow, 2);
	assert_int_equal(copy->n_ports, 1);
	assert_int_equal(copy->ports[0].outside, 8080);
	/* A later word about the network as a whole wins. */
	assert_int_equal(box_add_text(b, "net none", NULL), 0);
	assert_int_equal(b->net, BOX_NET_NONE);
}

static void test_a_clone_is_the_same_box(void **state)
{
	AUTO(box_free) struct nook_box *b = box_new();
	AUTO(box_free) struct nook_box *copy = NULL;

	(void)state;
	b->base = "/here";
	assert_int_equal(box_add_text(b, "rw sub\nfake-root", NULL), 0);
	assert_int_equal(box_limit_set(b, "mem", 64 << 20), 0);
	assert_int_equal(box_add_fd(b, 0, 9, NULL), 0);
	assert_int_equal(box_clone(b, &copy, NULL), 0);
	assert_string_equal(copy->paths[0].source, "/here/sub");
	assert_true(copy->fake_root);
	assert_int_equal(copy->limits.mem.value, 64 << 20);
	assert_int_equal(copy->n_fds, 1);
	assert_int_equal(copy->fds[0].as, 9);
	assert_true(copy->fds[0].fd != b->fds[0].fd);
}

static void test_descriptors_must_exist(void **state)
{
	AUTO(box_free) struct nook_box *b = box_new();
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	assert_int_equal(box_add_fd(b, -1, 3, &e), -EBADF);
	assert_int_equal(box_add_fd(b, 0, -3, &e), -EBADF);
	assert_int_equal(e.step, STEP_FDS);
}

/* The root holds all that is below it, too. */
static void test_what_a_box_may_write_holds_no_changes_of_its_own(void **state)
{
	static const char *const rules[] = {"rw /usr:/u\noverlay /etc:/x,keep=/usr/changes", "rw /:/host\noverlay /etc:/x,keep=/changes"};
	static const char *const argv[] = {"/bin/true", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		AUTO(box_free) struct nook_box *b = box_new();
		AUTO(arena_free) struct arena *a = arena_new();
		struct nook_error e = NOOK_ERROR_INIT;
		struct box_plan plan = {0};

		assert_int_equal(box_add_text(b, rules[i], NULL), 0);
		assert_int_equal(box_compile(b, argv, a, &plan, &e), -EINVAL);
		assert_non_null(strstr(e.detail, "could write to where"));
	}
}

/* The plan of the secure default: what must never be missing from it. */
static void test_default_plan_is_closed(void **state)
{
	static const char *const argv[] = {"/bin/true", NULL};
	AUTO(box_free) struct nook_box *b = box_new();
	AUTO(arena_free) struct arena *a = arena_new();
	struct box_plan plan = {0};
	unsigned seen[DO_COUNT] = {0};

	(void)state;
	assert_int_equal(box_compile(b, argv, a, &plan, NULL), 0);
	for (uint32_t i = 0; i < plan.plan->n_steps; i++)
		seen[plan.plan->steps[i].kind]++;
	for (int i = 0; i < NS_COUNT; i++)
		if (i != NS_CGROUP && i != NS_TIME)
			assert_true(plan.plan->clone_flags & ns_flags[i]);
	assert_true(plan.plan->init);
	assert_true(seen[DO_KEYRING] && seen[DO_CAPS] && seen[DO_NO_NEW_PRIVS] && seen[DO_SECCOMP] && seen[DO_FDS]);
	assert_true(seen[DO_PARENT_DEATH] && seen[DO_PIVOT] && seen[DO_ROOT_READONLY] && seen[DO_SESSION] && seen[DO_IDMAP]);
	assert_int_equal(seen[DO_CGROUP_DIR], 0);
	assert_int_equal(plan_validate(plan.plan, plan.plan->size), 0);
	plan_free(plan.plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_refuse_what_they_do_not_know),
		cmocka_unit_test(test_paths_are_absolute_and_clean),
		cmocka_unit_test(test_later_rules_win),
		cmocka_unit_test(test_allowed_hosts_mean_the_proxy),
		cmocka_unit_test(test_a_clone_is_the_same_box),
		cmocka_unit_test(test_descriptors_must_exist),
		cmocka_unit_test(test_what_a_box_may_write_holds_no_changes_of_its_own),
		cmocka_unit_test(test_default_plan_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
