/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plans of typical command lines, compared with the files in tests/plan/.  The machine is made up, so that they are
 * the same everywhere.  A change of a plan is a change of the design: run with NOOK_GOLDEN=update and review the diff.
 */
#include "base/fd.h"
#include "cli/run_options.h"
#include "cli/run_volumes.h"
#include "plan/build.h"
#include "spec/spec_defaults.h"
#include "tests.h"

enum { ARGS_MAX = 24 };

struct machine {
	struct plan_host host;
	bool groups;
};

static const struct machine root = {{.privileged = true, .first_userns = true, .can_mknod = true, .kernel = 6 << 16 | 18 << 8}, true};
static const struct machine old_kernel = {{.privileged = true, .first_userns = true, .can_mknod = true, .kernel = 6 << 16 | 1 << 8}, true};
static const struct machine user = {{.kernel = 6 << 16 | 18 << 8, .euid = 1000, .egid = 1000}, false};

static const struct {
	const char *name;
	const struct machine *machine;
	const char *line; /* options and command behind "nook run"; the source is dir:/ */
} cases[] = {
	{"default", &root, "dir:/ true"},
	{"old_kernel", &old_kernel, "dir:/ true"},
	{"user", &user, "dir:/ true"},
	{"user_host_network", &user, "--net host dir:/ true"},
	{"overlay", &root, "--overlay dir:/ sh -c exit"},
	{"read_only", &root, "--read-only --tmpfs /tmp:size=16m dir:/ true"},
	{"volumes", &root, "-v /usr:/data:ro -v /etc:/conf:rw,noexec --mount type=tmpfs,dst=/cache,tmpfs-size=1m dir:/ true"},
	{"host_namespaces", &root, "--pid host --net host --ipc host --uts host --userns host --cgroupns host dir:/ true"},
	{"joined_network", &root, "--net path:/run/netns/lab dir:/ true"},
	{"identity", &root, "-u nobody:nogroup --group-add audio -w /tmp --umask 027 --nice 5 --ulimit nofile=64:128 dir:/ id"},
	{"security", &root, "--cap-drop ALL --cap-add net_raw --security-opt seccomp=unconfined --sysctl net.ipv4.ip_forward=1 dir:/ true"},
	{"suid_allowed", &root, "--security-opt no-new-privileges=false dir:/ true"},
	{"privileged", &root, "--privileged dir:/ true"},
	{"time", &root, "--time-offset boottime=+100d --time-offset monotonic=-1h dir:/ true"},
	{"init_and_terminal", &root, "--init -t --hostname web --domainname lab dir:/ sh"},
	{"own_maps", &root, "--uidmap 0:100000:1000 --uidmap 1000:1000:1 dir:/ true"},
};

static int words(char *line, char **argv)
{
	char *save = NULL;
	int n = 0;

	argv[n++] = (char[]){"run"};
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	return n;
}

/* What the machine's own state would put in: the score of the test's parent and the sensors of its processors. */
static void forget_machine(struct spec *s)
{
	const char **masked = NULL;
	size_t n = 0;

	s->process.oom_score_adj.value = 100;
	for (const char *const *p = s->masked; p && *p; p++)
		if (!strstr(*p, "thermal"))
			*arena_push(s->arena, &masked, &n) = *p;
	(void)arena_push(s->arena, &masked, &n);
	s->masked = n > 1 ? masked : NULL;
}

static void make_spec(struct arena *a, const char *line, const struct machine *m, struct spec *s)
{
	static const struct spec_idmap range = {0, 524288, 65536}, single = {0, 1000, 1};
	struct nook_error e = NOOK_ERROR_INIT;
	struct run_options o = {0};
	struct run_volumes volumes = {0};
	struct cli cli = {.arena = a, .run = "/nonexistent"};
	struct run_source source;
	const struct opt *tables[] = {run_table, NULL};
	void *targets[] = {&o, NULL};
	char *argv[ARGS_MAX];
	int first = 0, argc = words(arena_strdup(a, line), argv);

	assert_int_equal(opt_parse(argc, argv, tables, OPT_SOURCE, targets, a, &first, &e), 0);
	o.no_tty = !o.tty;
	assert_int_equal(run_source_parse(argv[first], &source, &e), 0);
	spec_defaults(s);
	assert_int_equal(run_namespaces(&cli, &o, s, &e), 0);
	assert_int_equal(run_process(&cli, &o, NULL, argv + first + 1, argc - first - 1, s, &e), 0);
	assert_int_equal(run_root(&cli, &o, &source, s, &e), 0);
	assert_int_equal(run_mounts(&cli, &o, &volumes, s, &e), 0);
	assert_int_equal(run_limits(&cli, &o, s, &e), 0);
	assert_int_equal(run_security(&cli, &o, s, &e), 0);
	s->process.rows = s->process.columns = 0;
	if (s->ns[NS_UTS].mode == NS_PRIVATE && !s->hostname)
		s->hostname = "0123456789ab";
	if (s->ns[NS_USER].mode == NS_PRIVATE && !s->n_uid_maps) {
		s->uid_maps = s->gid_maps = arena_memdup(a, m->host.privileged ? &range : &single, sizeof(range));
		s->n_uid_maps = s->n_gid_maps = 1;
	}
	spec_defaults_finish(s);
	forget_machine(s);
	assert_int_equal(spec_check(s, &e), 0);
}

static struct plan *make_plan(struct arena *a, const char *line, const struct machine *m)
{
	static struct cgroup_dir dirs[] = {
		{"/sys/fs/cgroup/pids/nook-0123456789ab", "/sys/fs/cgroup/pids", "", false},
		{"/sys/fs/cgroup/unified/nook-0123456789ab", "/sys/fs/cgroup/unified", "", true},
	};
	static struct cgroup_write writes[] = {{0, "pids.max", "2048", true}};
	static const struct cgroup_want want = {.dirs = dirs, .n_dirs = 2, .writes = writes, .n_writes = 1, .into = 1};
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO(spec_free) struct spec *s = spec_new();
	struct plan_request q = {.spec = s, .host = &m->host, .cgroups = m->groups ? &want : NULL,
		.deny_setgroups = !m->host.privileged};
	struct plan_result result = {0};

	make_spec(a, line, m, s);
	assert_int_equal(plan_build(a, &q, &result, &e), 0);
	return result.plan;
}

static void test_plans_are_as_they_were(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	bool update = getenv("NOOK_GOLDEN") != NULL;
	auto_close int dir = open(SOURCE_ROOT "/tests/plan", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(plan_free) struct plan *p = make_plan(a, cases[i].line, cases[i].machine);
		const char *path = arena_printf(a, "%s.txt", cases[i].name);
		struct buf text = {0}, golden = {0};

		assert_int_equal(plan_validate(p, p->size), 0);
		buf_addf(&text, "$ nook run %s\n", cases[i].line);
		plan_print(p, PLAN_TEXT, &text);
		if (update)
			assert_int_equal(file_replace(dir, path, text.data, text.len, 0644, FILE_NO_SYNC, NULL), 0);
		else if (file_read(dir, path, 1 << 20, &golden, NULL) < 0 || strcmp(buf_text(&golden), buf_text(&text)) != 0) {
			print_error("tests/plan/%s: the plan has changed; it is now:\n%s", path, buf_text(&text));
			wrong++;
		}
		buf_done(&text);
		buf_done(&golden);
	}
	assert_int_equal(wrong, 0);
}

/* A plan may come from a file: whatever one flipped byte does to it, it is refused or can be walked safely. */
static void test_damaged_plans_are_judged_without_harm(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(plan_free) struct plan *p = make_plan(a, cases[0].line, &root);
	size_t size = p->size, refused = 0;
	unsigned char *copy = xcalloc(1, size);

	(void)state;
	for (size_t at = 0; at < size; at++) {
		struct buf text = {0};

		memcpy(copy, p, size);
		copy[at] ^= 0x80;
		if (plan_validate(copy, size) < 0)
			refused++;
		else
			plan_print((const struct plan *)copy, PLAN_TEXT, &text);
		buf_done(&text);
	}
	assert_int_equal(plan_validate(p, size - 1), -EINVAL);
	assert_true(refused > 100);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans_are_as_they_were),
		cmocka_unit_test(test_damaged_plans_are_judged_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
