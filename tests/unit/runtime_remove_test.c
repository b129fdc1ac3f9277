/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/container.h"
#include "runtime/data.h"
#include "runtime/repair.h"
#include "runtime/wait.h"
#include "sys/pid.h"
#include "temp.h"

#include <signal.h>
#include <sys/wait.h>

struct place {
	struct temp *temp;
	struct arena *a;
	struct store_run *r;
	pid_t children[8];
	size_t n_children;
};

static int place_make(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	void *temp = NULL;

	if (temp_make(&temp) < 0)
		return -1;
	p->temp = temp;
	p->a = arena_new();
	*state = p;
	return runtime_open(p->temp->path, p->a, &p->r, NULL);
}

static int place_remove(void **state)
{
	struct place *p = *state;
	void *temp = p->temp;

	for (size_t i = 0; i < p->n_children; i++) {
		(void)kill(p->children[i], SIGKILL);
		(void)waitpid(p->children[i], NULL, 0);
	}
	runtime_close(p->r);
	arena_free(p->a);
	free(p);
	return temp_remove(&temp);
}

static uint64_t start_of(pid_t pid)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t start = 0;

	assert_int_equal(pid_start_time(proc, pid, &start), 0);
	return start;
}

/* A process that does nothing until it is killed. */
static pid_t make_process(struct place *p)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			(void)pause();
	p->children[p->n_children++] = pid;
	return pid;
}

static pid_t make_ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static struct container simple(const char *id)
{
	return (struct container){.id = id, .creating = true, .exit_status = -1, .created_ns = 7, .started_ns = 8};
}

static void make(struct place *p, const struct container *c)
{
	auto_close int dir = container_create(p->r, c, NULL);

	assert_true(dir >= 0);
}

static bool exists(struct place *p, const char *name)
{
	return faccessat(p->temp->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static const char *root_of(struct place *p)
{
	return arena_printf(p->a, "%s/root", p->temp->path);
}

static struct container running(struct place *p, const char *id, pid_t pid)
{
	struct container c = simple(id);

	c.creating = false;
	c.pid = pid;
	c.pid_start = start_of(pid);
	return c;
}

static void test_all_that_the_state_names_goes(void **state)
{
	struct place *p = *state;
	const char *paths[] = {arena_printf(p->a, "%s/upper", p->temp->path), arena_printf(p->a, "%s/file", p->temp->path),
	                       "/nonexistent/nook/path", NULL};
	struct container c = simple("abc");

	c.name = "web";
	c.paths = paths;
	c.n_paths = 3;
	c.range_base = 131072;
	make(p, &c);
	assert_int_equal(mkdirat(p->temp->dir, "upper", 0700), 0);
	temp_write(p->temp->dir, "upper/x", "x");
	temp_write(p->temp->dir, "file", "x");
	assert_int_equal(mkdirat(p->temp->dir, "ids", 0700), 0);
	assert_int_equal(symlinkat("../containers/abc", p->temp->dir, "ids/131072"), 0);
	assert_int_equal(symlinkat("../containers/other", p->temp->dir, "ids/196608"), 0);
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, NULL), 0);
	assert_false(exists(p, "upper") || exists(p, "file") || exists(p, "ids/131072"));
	assert_false(exists(p, "names/web") || exists(p, "containers/abc"));
	assert_true(exists(p, "ids/196608"));
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, NULL), 0);
}

static void test_a_range_that_no_state_tells_is_found(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc");

	make(p, &c);
	assert_int_equal(mkdirat(p->temp->dir, "ids", 0700), 0);
	assert_int_equal(symlinkat("../containers/abc", p->temp->dir, "ids/131072"), 0);
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, NULL), 0);
	assert_false(exists(p, "ids/131072"));
}

static void test_half_made_and_half_removed_directories_go(void **state)
{
	struct place *p = *state;
	struct container c;

	assert_int_equal(mkdirat(p->temp->dir, "containers", 0700), 0);
	assert_int_equal(mkdirat(p->temp->dir, "containers/abc", 0700), 0);
	temp_write(p->temp->dir, "containers/abc/.state.json.77", "{");
	assert_int_equal(container_load(p->r, "abc", p->a, &c, NULL), 0);
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, NULL), 0);
	assert_false(exists(p, "containers/abc"));
}

static void test_what_runs_is_removed_only_by_force(void **state)
{
	struct place *p = *state;
	pid_t pid = make_process(p);
	struct container c = running(p, "abc", pid);
	struct nook_error e = NOOK_ERROR_INIT;

	make(p, &c);
	assert_int_equal(container_status(&c), CONTAINER_RUNNING);
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, &e), -EBUSY);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(container_status(&c), CONTAINER_RUNNING);
	assert_int_equal(container_remove(p->r, &c, REMOVE_FORCE, &e), 0);
	assert_int_equal(container_status(&c), CONTAINER_STOPPED);
	assert_false(exists(p, "containers/abc"));
}

static void test_a_pid_that_means_another_process_is_not_touched(void **state)
{
	struct place *p = *state;
	pid_t pid = make_process(p);
	struct container c = running(p, "abc", pid);

	c.pid_start--;
	make(p, &c);
	assert_int_equal(container_status(&c), CONTAINER_STOPPED);
	assert_int_equal(container_pidfd(&c, NULL), -ESRCH);
	assert_int_equal(container_remove(p->r, &c, REMOVE_FORCE, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
}

static void test_the_state_is_read_again_under_the_lock(void **state)
{
	struct place *p = *state;
	struct container intent = simple("abc"), now = running(p, "abc", make_process(p));
	auto_close int dir = container_create(p->r, &intent, NULL);

	assert_true(dir >= 0);
	assert_int_equal(container_save(dir, &now, NULL), 0);
	close_fd(&dir);
	/* With what was known before, it would pass for a start that was cut off. */
	assert_int_equal(container_status(&intent), CONTAINER_STOPPED);
	assert_int_equal(container_remove(p->r, &intent, REMOVE_STOPPED, NULL), -EBUSY);
}

/* Creates a container as its supervisor, tells so, and keeps the lock. */
static pid_t make_creator(struct place *p, const char *id)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct container c = simple(id);

		c.supervisor = getpid();
		c.supervisor_start = start_of(getpid());
		if (container_create(p->r, &c, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	p->children[p->n_children++] = pid;
	return pid;
}

static void test_a_start_at_work_is_left_alone_without_force(void **state)
{
	struct place *p = *state;
	pid_t creator = make_creator(p, "abc");
	struct stale *found;
	struct container c;
	size_t n = 7;

	assert_int_equal(container_load(p->r, "abc", p->a, &c, NULL), 0);
	assert_int_equal(container_status(&c), CONTAINER_CREATING);
	assert_int_equal(container_remove(p->r, &c, REMOVE_STOPPED, NULL), -EBUSY);
	assert_int_equal(runtime_repair(p->r, root_of(p), p->a, &found, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(waitpid(creator, NULL, WNOHANG), 0);
	assert_true(exists(p, "containers/abc/state.json"));
	assert_int_equal(container_remove(p->r, &c, REMOVE_FORCE, NULL), 0);
	assert_false(exists(p, "containers/abc"));
}

static void test_many_removers_all_succeed(void **state)
{
	enum { REMOVERS = 8, ROUNDS = 20 };
	struct place *p = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct container c = running(p, "abc", make_process(p));
		pid_t pid = p->children[--p->n_children];
		int start[2];

		c.name = "web";
		make(p, &c);
		assert_int_equal(pipe(start), 0);
		for (int i = 0; i < REMOVERS; i++)
			if (fork() == 0) {
				char byte;

				(void)close(start[1]);
				(void)!read(start[0], &byte, 1);
				_exit(container_remove(p->r, &c, REMOVE_FORCE, NULL) == 0 ? 0 : 1);
			}
		(void)close(start[0]);
		(void)close(start[1]);
		for (int i = 0; i < REMOVERS + 1; i++) {
			int status = 0;
			pid_t ended = wait(&status);

			assert_true(ended > 0);
			assert_true(ended == pid ? WIFSIGNALED(status) : status == 0);
		}
		assert_false(exists(p, "containers/abc") || exists(p, "names/web"));
	}
}

static void test_finish_keeps_what_is_shown(void **state)
{
	struct place *p = *state;
	const char *paths[] = {arena_printf(p->a, "%s/file", p->temp->path), NULL};
	struct container c = simple("abc"), got;

	temp_write(p->temp->dir, "file", "x");
	c.creating = false;
	c.name = "web";
	c.supervisor = getpid();
	c.supervisor_start = start_of(getpid());
	c.pid = make_ended_process();
	c.paths = paths;
	c.n_paths = 1;
	make(p, &c);
	c.exit_status = 3;
	assert_int_equal(container_finish(p->r, &c, NULL), 0);
	assert_false(exists(p, "file"));
	assert_int_equal(container_load(p->r, "web", p->a, &got, NULL), 0);
	assert_int_equal(got.exit_status, 3);
	assert_true(got.finished_ns > 0);
	assert_int_equal(got.pid, 0);
	assert_int_equal(got.n_paths, 0);
	assert_int_equal(container_wait(p->r, &got, NULL), 3);
}

static size_t count_kind(const struct stale *found, size_t n, enum stale_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += found[i].kind == kind && found[i].result == 0;
	return count;
}

static void test_repair_clears_what_was_cut_off_and_nothing_else(void **state)
{
	struct place *p = *state;
	struct container cut = simple("cut"), ended = simple("ended"), removed = simple("removed"), lives, oci = simple("oci");
	struct stale *found = NULL;
	size_t n = 0;

	cut.supervisor = ended.supervisor = removed.supervisor = make_ended_process();
	cut.supervisor_start = ended.supervisor_start = removed.supervisor_start = 1;
	ended.creating = removed.creating = oci.creating = false;
	ended.pid = removed.pid = oci.pid = make_ended_process();
	removed.auto_remove = true;
	ended.name = "kept";
	lives = running(p, "lives", make_process(p));
	make(p, &cut);
	make(p, &ended);
	make(p, &removed);
	make(p, &lives);
	make(p, &oci);
	temp_write(p->temp->dir, "containers/lives/.state.json.77", "{");
	assert_int_equal(mkdirat(p->temp->dir, "containers/empty", 0700), 0);
	assert_int_equal(symlinkat("gone", p->temp->dir, "names/stale"), 0);
	assert_int_equal(mkdirat(p->temp->dir, "ids", 0700), 0);
	assert_int_equal(symlinkat("../containers/gone", p->temp->dir, "ids/131072"), 0);
	assert_int_equal(symlinkat("../containers/lives", p->temp->dir, "ids/196608"), 0);

	for (int round = 0; round < 2; round++) {
		assert_int_equal((round ? runtime_repair : runtime_check)(p->r, root_of(p), p->a, &found, &n, NULL), 0);
		assert_int_equal(count_kind(found, n, STALE_START), 2);
		assert_int_equal(count_kind(found, n, STALE_CONTAINER), 2);
		assert_int_equal(count_kind(found, n, STALE_NAME), 1);
		assert_int_equal(count_kind(found, n, STALE_RANGE), 1);
		assert_int_equal(count_kind(found, n, STALE_FILE), 1);
		assert_int_equal(n, 7);
	}
	assert_int_equal(runtime_check(p->r, root_of(p), p->a, &found, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_false(exists(p, "containers/cut") || exists(p, "containers/removed") || exists(p, "containers/empty"));
	assert_false(exists(p, "names/stale") || exists(p, "ids/131072"));
	assert_true(exists(p, "containers/ended") && exists(p, "names/kept") && exists(p, "containers/lives/state.json"));
	assert_true(exists(p, "containers/oci") && exists(p, "ids/196608"));
	assert_int_equal(container_load(p->r, "ended", p->a, &ended, NULL), 0);
	assert_true(ended.finished_ns > 0 && ended.exit_status == -1);
}

static void test_repair_clears_data_of_no_container(void **state)
{
	struct place *p = *state;
	const char *used = data_path(p->r, root_of(p), DATA_LAYER, "used", p->a);
	const char *lost = data_path(p->r, root_of(p), DATA_UNPACKED, "lost", p->a);
	const char *kept = data_path(p->r, root_of(p), DATA_UNPACKED, "kept", p->a);
	struct container c = simple("kept");
	struct stale *found = NULL;
	size_t n = 0;
	int fd;

	c.creating = false;
	make(p, &c);
	fd = data_make(lost, NULL);
	assert_true(fd >= 0);
	close_fd(&fd);
	fd = data_make(kept, NULL);
	close_fd(&fd);
	assert_int_equal(mkdirat(p->temp->dir, "root/unpacked/strange@00000000", 0700), 0);
	/* Its user lives, although its state is lost. */
	auto_close int user = data_make(used, NULL);

	assert_true(user >= 0);
	assert_int_equal(runtime_repair(p->r, root_of(p), p->a, &found, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(found[0].kind, STALE_DATA);
	assert_string_equal(found[0].object, lost);
	assert_int_equal(access(lost, F_OK), -1);
	assert_true(access(kept, F_OK) == 0 && access(used, F_OK) == 0 && exists(p, "root/unpacked/strange@00000000"));
}

static void test_wait_sees_the_status_that_the_supervisor_saves(void **state)
{
	struct place *p = *state;
	pid_t pid = make_process(p), waiter;
	struct container c = running(p, "abc", pid);
	int status = 0;

	c.supervisor = getpid();
	c.supervisor_start = start_of(getpid());
	make(p, &c);
	waiter = fork();
	if (waiter == 0)
		_exit(container_wait(p->r, &c, NULL) == 41 ? 0 : 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	p->n_children--;
	c.exit_status = 41;
	assert_int_equal(container_finish(p->r, &c, NULL), 0);
	assert_int_equal(waitpid(waiter, &status, 0), waiter);
	assert_int_equal(status, 0);
}

static void test_wait_gives_up_when_nobody_can_tell(void **state)
{
	struct place *p = *state;
	struct container c = simple("abc");

	c.creating = false;
	c.pid = make_ended_process();
	c.pid_start = 1;
	make(p, &c);
	assert_int_equal(container_wait(p->r, &c, NULL), -ESRCH);
	c.creating = true;
	c.supervisor = make_ended_process();
	c.supervisor_start = 1;
	c.id = "cut";
	make(p, &c);
	assert_int_equal(container_wait(p->r, &c, NULL), -ESRCH);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(test_all_that_the_state_names_goes),
		PLACED(test_a_range_that_no_state_tells_is_found),
		PLACED(test_half_made_and_half_removed_directories_go),
		PLACED(test_what_runs_is_removed_only_by_force),
		PLACED(test_a_pid_that_means_another_process_is_not_touched),
		PLACED(test_the_state_is_read_again_under_the_lock),
		PLACED(test_a_start_at_work_is_left_alone_without_force),
		PLACED(test_many_removers_all_succeed),
		PLACED(test_finish_keeps_what_is_shown),
		PLACED(test_repair_clears_what_was_cut_off_and_nothing_else),
		PLACED(test_repair_clears_data_of_no_container),
		PLACED(test_wait_sees_the_status_that_the_supervisor_saves),
		PLACED(test_wait_gives_up_when_nobody_can_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
