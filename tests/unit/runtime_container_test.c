/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/container.h"
#include "runtime/store.h"
#include "base/fd.h"
#include "cgroup/cgroup.h"
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct place {
	struct arena *a;
	struct store_run *r;
	char path[64];
};

static int place_make(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	p->a = arena_new();
	(void)snprintf(p->path, sizeof(p->path), "/tmp/nook-unit.XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	*state = p;
	return runtime_open(p->path, p->a, &p->r, NULL);
}

static int place_remove(void **state)
{
	struct place *p = *state;

	runtime_close(p->r);
	if (tree_remove(AT_FDCWD, p->path, NULL) < 0)
		return -1;
	arena_free(p->a);
	free(p);
	return 0;
}

static struct container simple(const char *id)
{
	return (struct container){.id = id, .creating = true, .exit_status = -1, .created_ns = 7};
}

static void make(struct place *p, const char *id, const char *name, int64_t created_ns)
{
	struct container c = simple(id);

	c.name = name;
	c.created_ns = created_ns;
	auto_close int dir = container_create(p->r, &c, NULL);

	assert_true(dir >= 0);
}

static void write_file(struct place *p, const char *name, const char *text)
{
	auto_close int fd = openat(runtime_fd(p->r), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, text, strlen(text)), 0);
}

static void test_ids_that_are_no_file_names_are_refused(void **state)
{
	static const char *const wrong[] = {"", ".", "..", "a/b", "/", ".hidden", "-x", "a b", "a\n", "\xc3\xa4", "a@b", "a:b"};
	char longest[CONTAINER_ID_MAX + 2];
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(container_id_check(wrong[i], &e), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[CONTAINER_ID_MAX + 1] = 0;
	assert_int_equal(container_id_check(longest, &e), -EINVAL);
	longest[CONTAINER_ID_MAX] = 0;
	assert_int_equal(container_id_check(longest, &e), 0);
	assert_int_equal(container_id_check("a-b.c_d+1", &e), 0);
}

static void test_new_ids_are_valid_and_differ(void **state)
{
	struct place *p = *state;
	const char *one = NULL, *two = NULL;

	assert_int_equal(container_id_new(p->a, &one, NULL), 0);
	assert_int_equal(container_id_new(p->a, &two, NULL), 0);
	assert_int_equal(strlen(one), 12);
	assert_int_equal(strspn(one, "0123456789abcdef"), 12);
	assert_int_equal(container_id_check(one, NULL), 0);
	assert_string_not_equal(one, two);
}

static void test_cgroup_path_tells_the_run_directory(void **state)
{
	struct place *p = *state;
	struct store_run usual = {.path = "/run/nook"};
	const char *path = container_cgroup_path(p->r, "abc", p->a);

	assert_string_equal(container_cgroup_path(&usual, "abc", p->a), "nook-abc");
	assert_int_equal(strncmp(path, "nook-abc@", 9), 0);
	assert_int_equal(strlen(path), 9 + 8);
}

static void test_state_survives_the_round_trip(void **state)
{
	struct place *p = *state;
	/* Lists are counted; what lies behind is not theirs. */
	const char *cgroups[] = {"/sys/fs/cgroup/pids/nook-abc", "net_cls:/nook-abc", (const char *)1};
	const char *paths[] = {"/var/tmp/root of \"abc\"", (const char *)1};
	struct spec_pair notes[] = {{"a.b", "1"}, {"c", "d\ne"}};
	struct container c = {
		.id = "abc", .name = "web", .source = "dir:/srv", .bundle = "/b", .command = "sh -c \"x\"", .created_ns = 1700000000123456789,
		.started_ns = 5, .finished_ns = 6, .pid = 4000000, .pid_start = 18446744073709551615U, .supervisor = 12,
		.supervisor_start = 13, .auto_remove = true, .exit_status = 137, .cgroups = cgroups, .n_cgroups = 2,
		.range_base = 4294901760U, .paths = paths, .n_paths = 1, .annotations = notes, .n_annotations = 2,
		.oci_version = "1.2.0", .rootfs = "/srv",
	}, d;
	auto_close int dir = container_create(p->r, &c, NULL);

	assert_true(dir >= 0);
	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_string_equal(d.damage, "");
	assert_string_equal(d.name, "web");
	assert_string_equal(d.command, c.command);
	assert_string_equal(d.bundle, "/b");
	assert_string_equal(d.rootfs, "/srv");
	assert_string_equal(d.oci_version, "1.2.0");
	assert_int_equal(d.created_ns, c.created_ns);
	assert_int_equal(d.pid, 4000000);
	assert_true(d.pid_start == c.pid_start);
	assert_true(d.auto_remove && !d.creating);
	assert_int_equal(d.exit_status, 137);
	assert_int_equal(d.n_cgroups, 2);
	assert_string_equal(d.cgroups[1], cgroups[1]);
	assert_string_equal(d.paths[0], paths[0]);
	assert_int_equal(d.range_base, c.range_base);
	assert_int_equal(d.n_annotations, 2);
	assert_string_equal(d.annotations[1].value, "d\ne");
}

/* The supervisor alone writes the state; what `nook update` adds stands beside it and is removed as well. */
static void test_groups_that_come_later_are_kept_beside_the_state(void **state)
{
	struct place *p = *state;
	const char *first[] = {"/sys/fs/cgroup/pids/nook-abc"};
	const char *more[] = {first[0], "/sys/fs/cgroup/cpu/nook-abc"}, *third[] = {first[0], "/sys/fs/cgroup/cpuset/nook-abc"};
	const struct cgroup all = {.dirs = more, .n = 2}, others = {.dirs = third, .n = 2};
	struct container c = simple("abc"), d;
	int dir;

	c.cgroups = first;
	c.n_cgroups = 1;
	dir = container_create(p->r, &c, NULL);
	assert_true(dir >= 0);
	(void)close(dir);
	assert_int_equal(container_add_cgroups(p->r, &c, &all, p->a, NULL), 0);
	/* A second command that does not know of the first one. */
	assert_int_equal(container_add_cgroups(p->r, &c, &others, p->a, NULL), 0);
	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_int_equal(d.n_cgroups, 3);
	assert_string_equal(d.cgroups[1], more[1]);
	assert_string_equal(d.cgroups[2], third[1]);
	/* The supervisor saves what it has in memory: nothing is lost. */
	dir = container_lock(p->r, "abc", NULL);
	assert_int_equal(container_save(dir, &c, NULL), 0);
	(void)close(dir);
	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_int_equal(d.n_cgroups, 3);
	assert_int_equal(container_finish(p->r, &c, NULL), 0);
	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_int_equal(d.n_cgroups, 0);
}

static void test_exit_status_zero_is_not_unknown(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc"), d;
	auto_close int dir = container_create(p->r, &c, NULL);

	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_int_equal(d.exit_status, -1);
	c.exit_status = 0;
	assert_int_equal(container_save(dir, &c, NULL), 0);
	assert_int_equal(container_load(p->r, "abc", p->a, &d, NULL), 0);
	assert_int_equal(d.exit_status, 0);
}

static void test_an_id_is_taken_once(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc");
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int dir = container_create(p->r, &c, NULL);

	assert_true(dir >= 0);
	assert_int_equal(container_create(p->r, &c, &e), -EEXIST);
	assert_string_equal(e.object, "abc");
}

static void test_a_taken_name_leaves_no_trace_of_the_second(void **state)
{
	struct place *p = *state;
	struct container second = simple("bbb"), got;
	struct nook_error e = NOOK_ERROR_INIT;

	make(p, "aaa", "web", 1);
	second.name = "web";
	assert_int_equal(container_create(p->r, &second, &e), -EEXIST);
	assert_non_null(strstr(e.detail, "aaa"));
	assert_int_equal(container_load(p->r, "bbb", p->a, &got, NULL), -ENOENT);
	assert_int_equal(container_load(p->r, "web", p->a, &got, NULL), 0);
	assert_string_equal(got.id, "aaa");
}

static void test_a_stale_name_is_taken_over(void **state)
{
	struct place *p = *state;
	struct container got;

	make(p, "aaa", "web", 1);
	assert_int_equal(tree_remove(runtime_fd(p->r), "containers/aaa", NULL), 0);
	make(p, "bbb", "web", 1);
	assert_int_equal(container_load(p->r, "web", p->a, &got, NULL), 0);
	assert_string_equal(got.id, "bbb");
}

static void test_finds_by_id_then_name_then_prefix(void **state)
{
	struct place *p = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct container got;

	make(p, "ab", "", 1);
	make(p, "abc", "abx", 1);
	make(p, "abxyz", "zz", 1);
	assert_int_equal(container_load(p->r, "ab", p->a, &got, NULL), 0);
	assert_string_equal(got.id, "ab");
	assert_int_equal(container_load(p->r, "abx", p->a, &got, NULL), 0);
	assert_string_equal(got.id, "abc");
	assert_int_equal(container_load(p->r, "abxy", p->a, &got, NULL), 0);
	assert_string_equal(got.id, "abxyz");
	assert_int_equal(container_load(p->r, "a", p->a, &got, &e), -EINVAL);
	assert_int_equal(container_load(p->r, "q", p->a, &got, &e), -ENOENT);
	assert_int_equal(container_load(p->r, "../containers/ab", p->a, &got, &e), -ENOENT);
}

static void test_nothing_is_found_in_an_empty_run_directory(void **state)
{
	struct place *p = *state;
	struct container *list, got;
	size_t n = 7;

	assert_int_equal(container_list(p->r, p->a, &list, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(container_load(p->r, "x", p->a, &got, NULL), -ENOENT);
}

static void test_list_shows_damage_and_skips_what_is_foreign(void **state)
{
	static const char *const broken[] = {
		"", "{", "[]", "{\"id\":\"other\"}", "{\"id\":\"d\",\"pid\":\"x\"}", "{\"id\":\"d\",\"pid\":-5}",
		"{\"id\":\"d\",\"paths\":[\"/\"]}", "{\"id\":\"d\",\"paths\":[\"etc\"]}", "{\"id\":\"d\",\"cgroups\":[\"../..\"]}",
		"{\"id\":\"d\",\"name\":\"../x\"}", "{\"id\":\"d\",\"pid\":99999999999}",
	};
	struct place *p = *state;
	struct container *list;
	size_t n = 0;

	make(p, "b", "", 20);
	make(p, "c", "", 10);
	assert_int_equal(mkdirat(runtime_fd(p->r), "containers/d", 0700), 0);
	assert_int_equal(mkdirat(runtime_fd(p->r), "containers/.foreign", 0700), 0);
	write_file(p, "containers/file", "x");
	assert_int_equal(symlinkat("b", runtime_fd(p->r), "containers/link"), 0);
	assert_int_equal(unlinkat(runtime_fd(p->r), "containers/link", 0), 0);
	assert_int_equal(container_list(p->r, p->a, &list, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].id, "d");
	assert_true(list[0].creating && list[0].damage[0]);
	assert_string_equal(list[1].id, "c");
	assert_string_equal(list[2].id, "b");
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		write_file(p, "containers/d/state.json", broken[i]);
		assert_int_equal(container_list(p->r, p->a, &list, &n, NULL), 0);
		assert_int_equal(n, 3);
		assert_true(list[0].creating && list[0].damage[0]);
		assert_int_equal(list[0].pid, 0);
		assert_int_equal(list[0].n_paths, 0);
	}
}

static void test_the_creator_holds_the_lock_until_it_closes(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc");
	int dir = container_create(p->r, &c, NULL);

	assert_true(dir >= 0);
	assert_int_equal(container_trylock(p->r, "abc", NULL), -EWOULDBLOCK);
	close_fd(&dir);
	dir = container_trylock(p->r, "abc", NULL);
	assert_true(dir >= 0);
	close_fd(&dir);
	assert_int_equal(container_lock(p->r, "none", NULL), -ENOENT);
}

enum { RACERS = 8, ROUNDS = 40 };

/* Each racer tries to take one name for an id of its own: 1 when it won. */
static int race_for_name(const char *path, int round, int racer)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct store_run *r = NULL;
	char id[32], name[32];
	struct container c;
	int n;

	if (runtime_open(path, a, &r, NULL) < 0)
		return 2;
	(void)snprintf(id, sizeof(id), "r%d-%d", round, racer);
	(void)snprintf(name, sizeof(name), "name%d", round);
	c = simple(id);
	c.name = name;
	n = container_create(r, &c, NULL);
	runtime_close(r);
	return n >= 0 ? 1 : n == -EEXIST ? 0 : 2;
}

static void test_of_many_racers_one_gets_the_name(void **state)
{
	struct place *p = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct container got, *list;
		int won = 0, start[2];
		char name[32];
		size_t n = 0;

		assert_int_equal(pipe(start), 0);
		/* A name of a container that was removed by hand must not help two to win. */
		(void)snprintf(name, sizeof(name), "names/name%d", round);
		(void)mkdirat(runtime_fd(p->r), "names", 0700);
		if (round % 2)
			assert_int_equal(symlinkat("gone", runtime_fd(p->r), name), 0);
		for (int i = 0; i < RACERS; i++)
			if (fork() == 0) {
				char byte;

				(void)close(start[1]);
				(void)!read(start[0], &byte, 1);
				_exit(race_for_name(p->path, round, i));
			}
		(void)close(start[0]);
		(void)close(start[1]);
		for (int i = 0; i < RACERS; i++) {
			int status = 0;

			assert_true(wait(&status) > 0);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			won += WEXITSTATUS(status);
		}
		assert_int_equal(won, 1);
		assert_int_equal(container_load(p->r, name + sizeof("names/") - 1, p->a, &got, NULL), 0);
		assert_int_equal(container_list(p->r, p->a, &list, &n, NULL), 0);
		assert_int_equal(n, round + 1);
	}
}

static void test_readers_never_see_half_a_state(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc"), got;
	char command[20000];
	pid_t writer;
	int status = 0;
	auto_close int dir = container_create(p->r, &c, NULL);

	writer = fork();
	if (writer == 0) {
		for (size_t i = 0; i < 2000; i++) {
			size_t len = i * 37 % (sizeof(command) - 1);

			memset(command, 'x', len);
			command[len] = 0;
			c.command = command;
			c.created_ns = (int64_t)len;
			if (container_save(dir, &c, NULL) < 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(writer, &status, WNOHANG) == 0) {
		AUTO(arena_free) struct arena *a = arena_new();

		assert_int_equal(container_load(p->r, "abc", a, &got, NULL), 0);
		assert_string_equal(got.damage, "");
		assert_true(got.created_ns == 7 || (size_t)got.created_ns == strlen(got.command));
	}
	assert_int_equal(status, 0);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_that_are_no_file_names_are_refused),
		PLACED(test_new_ids_are_valid_and_differ),
		PLACED(test_cgroup_path_tells_the_run_directory),
		PLACED(test_state_survives_the_round_trip),
		PLACED(test_groups_that_come_later_are_kept_beside_the_state),
		PLACED(test_exit_status_zero_is_not_unknown),
		PLACED(test_an_id_is_taken_once),
		PLACED(test_a_taken_name_leaves_no_trace_of_the_second),
		PLACED(test_a_stale_name_is_taken_over),
		PLACED(test_finds_by_id_then_name_then_prefix),
		PLACED(test_nothing_is_found_in_an_empty_run_directory),
		PLACED(test_list_shows_damage_and_skips_what_is_foreign),
		PLACED(test_the_creator_holds_the_lock_until_it_closes),
		PLACED(test_of_many_racers_one_gets_the_name),
		PLACED(test_readers_never_see_half_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
