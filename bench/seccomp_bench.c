/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a seccomp filter costs, step by step: make it, load it, live with it.  nook and libseccomp take turns, so that
 * what the machine does meanwhile meets both.
 *
 *     seccomp_bench PROFILE.json [ROUNDS]
 */
#include "security/caps.h"
#include "security/seccomp.h"
#include "security/seccomp_profile.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 100, MAX_ROUNDS = 10000, CALLS = 100000 };

struct program {
	struct sock_filter *insns;
	size_t n;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void check(int r, const struct nook_error *e)
{
	char text[1024];

	if (r >= 0)
		return;
	(void)nook_error_text(e, text, sizeof(text));
	(void)fprintf(stderr, "seccomp_bench: %s\n", text);
	exit(1);
}

/* ---- what is measured: each returns nanoseconds ------------------------------------------------------------------ */

struct bench {
	struct json *json;
	struct spec_seccomp spec;
	struct arena *arena; /* of spec and the programs */
	struct program own, range, linear;
};

static uint64_t make_own(struct bench *b)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT};
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct program p;
	uint64_t start = now_ns();

	(void)b;
	check(seccomp_compile(a, &s, CAPS_DEFAULT, &p.insns, &p.n, &e), &e);
	return now_ns() - start;
}

static uint64_t read_profile(struct bench *b)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_seccomp s;
	uint64_t start = now_ns();

	check(seccomp_profile_read(a, b->json, CAPS_DEFAULT, &s, NULL, &e), &e);
	return now_ns() - start;
}

static uint64_t make_range(struct bench *b)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct program p;
	uint64_t start = now_ns();

	check(seccomp_compile(a, &b->spec, CAPS_DEFAULT, &p.insns, &p.n, &e), &e);
	return now_ns() - start;
}

static void add_rule(scmp_filter_ctx ctx, const struct seccomp_rule *rule, uint32_t otherwise)
{
	uint32_t action = rule->action == SECCOMP_RET_ERRNO
				  ? SCMP_ACT_ERRNO(rule->errno_ret.set ? rule->errno_ret.value : 1)
				  : rule->action;
	struct scmp_arg_cmp cmp[SECCOMP_ARGS];

	for (size_t i = 0; i < rule->n_args; i++)
		cmp[i] = (struct scmp_arg_cmp){rule->args[i].index, (enum scmp_compare)rule->args[i].op,
			rule->args[i].value, rule->args[i].value_two};
	for (const char *const *name = rule->names; action != otherwise && *name; name++)
		(void)seccomp_rule_add_array(
			ctx, action, seccomp_syscall_resolve_name(*name), (unsigned)rule->n_args, cmp);
}

static uint64_t make_linear_into(const struct spec_seccomp *s, int fd)
{
	uint32_t otherwise = s->default_action | (uint32_t)(s->default_errno.set ? s->default_errno.value : 1);
	uint64_t start = now_ns();
	scmp_filter_ctx ctx = seccomp_init(otherwise);

	(void)seccomp_arch_add(ctx, SCMP_ARCH_X86);
	(void)seccomp_arch_add(ctx, SCMP_ARCH_X32);
	for (size_t i = 0; i < s->n_rules; i++)
		add_rule(ctx, &s->rules[i], otherwise);
	(void)seccomp_export_bpf(ctx, fd);
	start = now_ns() - start;
	seccomp_release(ctx);
	return start;
}

static uint64_t make_linear(struct bench *b)
{
	auto_close int fd = memfd_create("bpf", MFD_CLOEXEC);

	return make_linear_into(&b->spec, fd);
}

/* In a child of its own, for a filter cannot be taken off.  WHAT: the load, or one call under it. */
enum what { LOAD, CALL };

static uint64_t under_filter(const struct program *p, enum what what)
{
	struct sock_fprog prog = {.len = (unsigned short)p->n, .filter = p->insns};
	uint64_t *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start, ns;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		start = now_ns();
		if (p->n && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
			_exit(1);
		if (what == CALL) {
			start = now_ns();
			for (int i = 0; i < CALLS; i++)
				(void)syscall(SYS_ioctl, -1, 0, 0);
			*shared = (now_ns() - start) / CALLS;
		} else {
			*shared = now_ns() - start;
		}
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	ns = *shared;
	(void)munmap(shared, sizeof(*shared));
	return ns;
}

static uint64_t load_own(struct bench *b)
{
	return under_filter(&b->own, LOAD);
}

static uint64_t load_range(struct bench *b)
{
	return under_filter(&b->range, LOAD);
}

static uint64_t load_linear(struct bench *b)
{
	return under_filter(&b->linear, LOAD);
}

static uint64_t call_none(struct bench *b)
{
	(void)b;
	return under_filter(&(struct program){0}, CALL);
}

static uint64_t call_own(struct bench *b)
{
	return under_filter(&b->own, CALL);
}

static uint64_t call_linear(struct bench *b)
{
	return under_filter(&b->linear, CALL);
}

static const struct row {
	const char *what;
	uint64_t (*run)(struct bench *b);
	unsigned divide; /* of the rounds: for what takes long */
} rows[] = {
	{"default profile: make", make_own, 1},
	{"default profile: load", load_own, 1},
	{"JSON profile: read", read_profile, 1},
	{"JSON profile: make, nook", make_range, 1},
	{"JSON profile: make, libseccomp", make_linear, 10},
	{"JSON profile: load, nook", load_range, 1},
	{"JSON profile: load, libseccomp", load_linear, 1},
	{"ioctl: no filter (ns)", call_none, 20},
	{"ioctl: default profile, arguments (ns)", call_own, 20},
	{"ioctl: JSON profile, kernel's cache (ns)", call_linear, 20},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void prepare(struct bench *b, const char *path)
{
	const struct spec_seccomp own = {.source = SECCOMP_DEFAULT};
	auto_close int fd = memfd_create("bpf", MFD_CLOEXEC);
	struct nook_error e = NOOK_ERROR_INIT;
	struct stat st;

	b->arena = arena_new();
	check(json_load(AT_FDCWD, path, JSON_LIMIT, STEP_SECCOMP, &b->json, &e), &e);
	check(seccomp_profile_read(b->arena, b->json, CAPS_DEFAULT, &b->spec, NULL, &e), &e);
	check(seccomp_compile(b->arena, &own, CAPS_DEFAULT, &b->own.insns, &b->own.n, &e), &e);
	check(seccomp_compile(b->arena, &b->spec, CAPS_DEFAULT, &b->range.insns, &b->range.n, &e), &e);
	(void)make_linear_into(&b->spec, fd);
	(void)fstat(fd, &st);
	b->linear.n = (size_t)st.st_size / sizeof(struct sock_filter);
	b->linear.insns = arena_new_n(b->arena, struct sock_filter, b->linear.n);
	(void)pread(fd, b->linear.insns, (size_t)st.st_size, 0);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : ROUNDS;
	static uint64_t ns[N_ROWS][MAX_ROUNDS];
	struct bench b = {0};

	if (argc < 2 || !rounds || rounds > MAX_ROUNDS) {
		(void)fprintf(stderr, "usage: seccomp_bench PROFILE.json [ROUNDS]\n");
		return 2;
	}
	prepare(&b, argv[1]);
	for (unsigned i = 0; i < rounds; i++)
		for (size_t k = 0; k < N_ROWS; k++)
			if (i % rows[k].divide == 0)
				ns[k][i / rows[k].divide] = rows[k].run(&b);
	(void)printf("instructions: default %zu, JSON %zu, libseccomp %zu\n%-40s %10s %10s\n", b.own.n, b.range.n,
		b.linear.n, "microseconds", "median", "p10");
	for (size_t k = 0; k < N_ROWS; k++) {
		size_t n = (rounds + rows[k].divide - 1) / rows[k].divide;
		double unit =
			rows[k].run == call_none || rows[k].run == call_own || rows[k].run == call_linear ? 1 : 1000;

		qsort(ns[k], n, sizeof(ns[k][0]), by_size);
		(void)printf("%-40s %10.1f %10.1f\n", rows[k].what, (double)ns[k][n / 2] / unit,
			(double)ns[k][n / 10] / unit);
	}
	json_free(b.json);
	arena_free(b.arena);
	return 0;
}
