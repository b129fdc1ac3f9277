/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook's filters against libseccomp's, verdict by verdict.  Where several rules with inequalities on 64-bit arguments
 * meet in one call, libseccomp 2.5 loses some of them; there the judge is a plain reading of the rules.
 */
#include "base/text.h"
#include "seccomp_oracle.h"
#include "security/caps.h"
#include "security/seccomp.h"
#include "security/seccomp_default_table.h"
#include "security/seccomp_names.h"
#include "tests.h"

#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 12, RANDOM_PROFILES = 60, RULES = 40, CALLS_TO = 480 };

static uint64_t random_state = 0x6e6f6f6b;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

/* Values around what the rules compare with: where mistakes are. */
struct interesting {
	uint64_t *values;
	size_t n;
};

static void interesting_add(struct arena *a, struct interesting *in, uint64_t value)
{
	*arena_push(a, &in->values, &in->n) = value;
}

static struct interesting interesting_of(struct arena *a, const struct spec_seccomp *s)
{
	struct interesting in = {0};

	interesting_add(a, &in, 0);
	interesting_add(a, &in, UINT64_MAX);
	for (size_t i = 0; i < s->n_rules; i++)
		for (size_t k = 0; k < s->rules[i].n_args; k++) {
			interesting_add(a, &in, s->rules[i].args[k].value);
			interesting_add(a, &in, s->rules[i].args[k].value_two);
		}
	return in;
}

static uint64_t random_arg(const struct interesting *in)
{
	uint64_t value = in->values[random_below(in->n)];

	switch (random_below(8)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return value ^ (UINT64_C(1) << random_below(64));
	case 3:
		return value | (random_u64() << 32);
	case 4:
		return random_u64();
	case 5:
		return value & UINT32_MAX;
	default:
		return value;
	}
}

/* The newest number that the profile names in an ABI, or -1. */
static int64_t newest_of(const struct spec_seccomp *s, size_t abi)
{
	int64_t newest = -1;

	for (size_t i = 0; i < s->n_rules; i++)
		for (const char *const *name = s->rules[i].names; *name; name++) {
			const struct seccomp_numbers *nrs = seccomp_numbers_find(*name);

			if (nrs && nrs->nrs[abi] > newest)
				newest = nrs->nrs[abi];
		}
	return newest;
}

struct pair_of_filters {
	const struct spec_seccomp *profile;
	const struct sock_filter *ours;
	size_t n_ours;
	struct oracle theirs;
};

static void print_rules(const struct spec_seccomp *s, const char *name)
{
	for (size_t i = 0; name && i < s->n_rules; i++)
		for (const char *const *word = s->rules[i].names; *word; word++) {
			if (!text_is(*word, name))
				continue;
			print_message("%s: action %#x", name, s->rules[i].action);
			for (size_t k = 0; k < s->rules[i].n_args; k++)
				print_message(", arg %u op %u %#llx %#llx", s->rules[i].args[k].index,
					s->rules[i].args[k].op, (unsigned long long)s->rules[i].args[k].value,
					(unsigned long long)s->rules[i].args[k].value_two);
			print_message("\n");
		}
}

static bool holds(const struct seccomp_arg *arg, const uint64_t args[6], bool narrow)
{
	uint64_t width = narrow ? UINT32_MAX : UINT64_MAX;
	uint64_t x = args[arg->index] & width, value = arg->value & width;

	switch (arg->op) {
	case SECCOMP_OP_NE:
		return x != value;
	case SECCOMP_OP_LT:
		return x < value;
	case SECCOMP_OP_LE:
		return x <= value;
	case SECCOMP_OP_EQ:
		return x == value;
	case SECCOMP_OP_GE:
		return x >= value;
	case SECCOMP_OP_GT:
		return x > value;
	default:
		return (x & value) == (arg->value_two & value);
	}
}

/* What the rules say of a native call, read one after the other. */
static uint32_t judge(const struct spec_seccomp *s, uint32_t nr, const uint64_t args[6])
{
	uint32_t verdict = oracle_action(s->default_action, s->default_errno);

	for (size_t i = 0; i < s->n_rules; i++) {
		const struct seccomp_rule *rule = &s->rules[i];
		bool all = true;

		if (seccomp_numbers_find(rule->names[0])->nrs[0] != (int32_t)nr)
			continue;
		for (size_t k = 0; k < rule->n_args; k++)
			all = all && holds(&rule->args[k], args, false);
		if (all)
			verdict = oracle_action(rule->action, rule->errno_ret);
	}
	return verdict;
}

static void compare(const struct pair_of_filters *p, uint32_t arch, uint32_t nr, const uint64_t args[6])
{
	uint32_t ours = seccomp_verdict(p->ours, p->n_ours, arch, nr, args);
	uint32_t theirs = p->theirs.n ? seccomp_verdict(p->theirs.filter, p->theirs.n, arch, nr, args)
				      : judge(p->profile, nr, args);

	if (ours == theirs)
		return;
	for (size_t abi = 0; seccomp_abi_at(abi); abi++)
		if (seccomp_abi_at(abi)->audit_arch == arch)
			print_rules(p->profile, seccomp_name_find(abi, nr));
	fail_msg("arch %#x nr %#x args %#llx %#llx %#llx %#llx %#llx %#llx: nook %#x, wanted %#x", arch, nr,
		(unsigned long long)args[0], (unsigned long long)args[1], (unsigned long long)args[2],
		(unsigned long long)args[3], (unsigned long long)args[4], (unsigned long long)args[5], ours, theirs);
}

static bool abi_is_in(const struct spec_seccomp *s, size_t abi)
{
	for (size_t i = 0; abi && s->archs && s->archs[i]; i++)
		if (text_is(s->archs[i], seccomp_abi_at(abi)->name))
			return true;
	return abi == 0;
}

static size_t compare_abi(const struct pair_of_filters *p, const struct spec_seccomp *s, size_t abi,
	const struct interesting *in, unsigned rounds)
{
	const struct seccomp_abi *info = seccomp_abi_at(abi);
	int64_t newest = newest_of(s, abi);
	size_t n = 0;

	for (uint32_t nr = info->base; nr < info->base + CALLS_TO; nr++) {
		/* Beyond what the profile knows nook says ENOSYS, as runc does. */
		if (s->default_action == SECCOMP_RET_ERRNO && newest >= 0 && nr > newest)
			break;
		for (unsigned round = 0; round < rounds; round++, n++) {
			uint64_t args[6];

			for (size_t i = 0; i < 6; i++)
				args[i] = random_arg(in);
			compare(p, info->audit_arch, nr, args);
		}
	}
	return n;
}

static size_t compare_profile(const struct spec_seccomp *s, unsigned rounds)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct interesting in = interesting_of(a, s);
	struct sock_filter *filter = NULL;
	struct pair_of_filters p = {.profile = s};
	const uint64_t zero[6] = {0};
	size_t n = 0;

	assert_int_equal(seccomp_compile(a, s, 0, &filter, &p.n_ours, NULL), 0);
	p.ours = filter;
	p.theirs = oracle_build(a, s, SECCOMP_RET_KILL_THREAD);
	for (size_t abi = 0; seccomp_abi_at(abi); abi++) {
		bool shares = seccomp_abi_at(abi)->audit_arch == seccomp_abi_at(0)->audit_arch;

		if (!abi_is_in(s, abi) && shares && s->default_action == SECCOMP_RET_ERRNO)
			continue; /* ENOSYS again */
		n += compare_abi(&p, s, abi, &in, abi_is_in(s, abi) ? rounds : 1);
	}
	compare(&p, AUDIT_ARCH_MIPS, 1, zero);
	compare(&p, 0, 0, zero);
	if (s->default_action != SECCOMP_RET_ERRNO)
		compare(&p, seccomp_abi_at(0)->audit_arch, UINT32_MAX, zero);
	return n;
}

/* ---- profiles ---------------------------------------------------------------------------------------------------- */

static const char *const x86_archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL};
static const char *const no_archs[] = {NULL};

#if defined(__x86_64__)
#define FOREIGN x86_archs
#else
#define FOREIGN no_archs
#endif

static const char *const *one_name(struct arena *a, const char *name)
{
	const char **names = arena_new_n(a, const char *, 2);

	names[0] = name;
	return names;
}

/* Leaves out the names that this libseccomp is too old for. */
static void keep_known(struct arena *a, struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->n_rules; i++) {
		const char **known = NULL;
		size_t n = 0;

		for (const char *const *name = s->rules[i].names; *name; name++)
			if (oracle_knows(*name))
				*arena_push(a, &known, &n) = *name;
		*arena_push(a, &known, &n) = NULL;
		s->rules[i].names = known;
	}
}

static struct seccomp_rule *add_rule(
	struct arena *a, struct spec_seccomp *s, const char *name, uint32_t action, uint64_t errno_ret)
{
	struct seccomp_rule *rule = arena_push(a, &s->rules, &s->n_rules);

	rule->names = one_name(a, name);
	rule->action = action;
	rule->errno_ret = (struct opt_u64){errno_ret, true};
	return rule;
}

static void random_args(struct arena *a, struct seccomp_rule *rule)
{
	static const uint64_t values[] = {0, 1, 8, 0x20000, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(0x100000001),
		UINT64_MAX, UINT64_C(0x8000000080000000), 0x7e020000};
	unsigned used = 0;

	rule->n_args = 1 + random_below(3);
	rule->args = arena_new_n(a, struct seccomp_arg, rule->n_args);
	for (size_t i = 0; i < rule->n_args; i++) {
		struct seccomp_arg *arg = &rule->args[i];

		do
			arg->index = (uint32_t)random_below(6);
		while (used & (1U << arg->index));
		used |= 1U << arg->index;
		arg->op = (uint32_t)(1 + random_below(7));
		arg->value = random_below(3) ? values[random_below(sizeof(values) / sizeof(values[0]))] : random_u64();
		if (arg->op == SECCOMP_OP_MASKED_EQ)
			arg->value_two = arg->value & (random_below(2) ? random_u64() : UINT64_MAX);
	}
}

static bool is_named(const struct spec_seccomp *s, const char *name)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (text_is(s->rules[i].names[0], name))
			return true;
	return false;
}

/* All rules for one call have one action: of two that overlap libseccomp takes either. */
static struct spec_seccomp random_profile(struct arena *a, size_t max_conditional)
{
	static const uint32_t actions[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_TRAP,
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG, SECCOMP_RET_KILL_THREAD};
	struct spec_seccomp s = {.source = SECCOMP_PROFILE, .archs = random_below(2) ? FOREIGN : no_archs};

	s.default_action = actions[random_below(6)];
	s.default_errno = (struct opt_u64){random_below(100), random_below(2)};
	for (size_t i = 0; i < RULES; i++) {
		const char *name = NULL;
		uint32_t action = actions[random_below(6)];
		uint64_t errno_ret = random_below(134);
		size_t conditional = random_below(max_conditional + 1);

		while (!name || !oracle_knows(name) || is_named(&s, name))
			name = seccomp_name_find(0, (uint32_t)random_below(CALLS_TO));
		if (!conditional)
			(void)add_rule(a, &s, name, action, errno_ret);
		for (size_t k = 0; k < conditional; k++)
			random_args(a, add_rule(a, &s, name, action, errno_ret));
	}
	return s;
}

static void test_random_profiles_agree(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < RANDOM_PROFILES; i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		struct spec_seccomp s = random_profile(a, 1);

		n += compare_profile(&s, 4);
	}
	assert_true(n > 100000);
}

static void test_many_conditions_on_one_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < RANDOM_PROFILES; i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		struct spec_seccomp s = random_profile(a, 5);
		struct interesting in = interesting_of(a, &s);
		struct pair_of_filters p = {.profile = &s};
		struct sock_filter *filter = NULL;

		s.archs = no_archs;
		assert_int_equal(seccomp_compile(a, &s, 0, &filter, &p.n_ours, NULL), 0);
		p.ours = filter;
		assert_true(compare_abi(&p, &s, 0, &in, 8) > 0);
	}
}

static void test_container_profile_agrees(const char *path)
{
	static const uint64_t caps[] = {CAPS_DEFAULT, CAPS_ALL, 0, CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_AUDIT_WRITE)};

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		struct nook_error e = NOOK_ERROR_INIT;
		struct spec_seccomp s = {0};

		if (seccomp_profile_load(a, path, caps[i], &s, &e) < 0)
			fail_msg("%s: %s", e.object, e.detail);
		keep_known(a, &s);
		assert_true(compare_profile(&s, ROUNDS) > 10000);
	}
}

static void test_profile_of_the_field_agrees(void **state)
{
	(void)state;
	test_container_profile_agrees(TEST_DATA "/seccomp_docker.json");
}

static void test_installed_profile_agrees(void **state)
{
	static const char path[] = "/usr/share/containers/seccomp.json";

	(void)state;
	if (access(path, R_OK) < 0)
		skip();
	test_container_profile_agrees(path);
}

/* ---- nook's own profile ------------------------------------------------------------------------------------------ */

/* libseccomp cannot say "all but"; so the profile becomes two of its filters, which the kernel would run both: one
 * allows, the other refuses what the checks of an allowed call refuse. */
struct two {
	struct spec_seccomp allow, refuse;
};

static const struct seccomp_row *row_of(const char *name, uint64_t caps, bool nesting)
{
	const struct seccomp_row *found = NULL;
	char spaced[80], names[4096];

	(void)snprintf(spaced, sizeof(spaced), " %s ", name);
	for (size_t i = 0; i < N_DEFAULT_ROWS; i++) {
		const struct seccomp_row *row = &default_rows[i];
		bool applies =
			(!row->caps && !row->flags) || (row->caps & caps) || (row->flags & ROW_NESTING && nesting);

		(void)snprintf(names, sizeof(names), " %s ", row->names);
		if (applies && strstr(names, spaced))
			found = row;
	}
	return found;
}

static void two_add(struct arena *a, struct two *two, const char *name, const struct seccomp_row *row)
{
	struct spec_seccomp *checked = row->verdict == ALLOW ? &two->refuse : &two->allow;

	if (row->verdict == ALLOW)
		(void)add_rule(a, &two->allow, name, SECCOMP_RET_ALLOW, 0);
	else if (!row->n_checks)
		(void)add_rule(a, &two->allow, name, SECCOMP_RET_ERRNO, row->verdict & SECCOMP_RET_DATA);
	for (size_t i = 0; i < row->n_checks; i++) {
		struct seccomp_rule *rule = add_rule(a, checked, name, row->checks[i].verdict & SECCOMP_RET_ACTION,
			row->checks[i].verdict & SECCOMP_RET_DATA);

		rule->args = arena_memdup(a, row->checks[i].args, row->checks[i].n_args * sizeof(rule->args[0]));
		rule->n_args = row->checks[i].n_args;
	}
}

static struct two two_of(struct arena *a, uint64_t caps, bool nesting)
{
	struct two two = {
		.allow = {.source = SECCOMP_PROFILE, .default_action = SECCOMP_RET_ERRNO, .archs = FOREIGN},
		.refuse = {.source = SECCOMP_PROFILE, .default_action = SECCOMP_RET_ALLOW, .archs = FOREIGN},
	};

	for (size_t abi = 0; seccomp_abi_at(abi); abi++)
		for (uint32_t nr = seccomp_abi_at(abi)->base; nr < seccomp_abi_at(abi)->base + CALLS_TO; nr++) {
			const char *name = seccomp_name_find(abi, nr);
			const struct seccomp_row *row = name && oracle_knows(name) ? row_of(name, caps, nesting) : NULL;
			bool is_known = false;

			for (size_t earlier = 0; name && earlier < abi; earlier++)
				is_known = is_known || seccomp_numbers_find(name)->nrs[earlier] >= 0;
			if (row && !is_known)
				two_add(a, &two, name, row);
		}
	return two;
}

static void compare_default(uint64_t caps, bool nesting)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const struct spec_seccomp ours = {.source = SECCOMP_DEFAULT, .nesting = nesting, .foreign_archs = true};
	struct two two = two_of(a, caps, nesting);
	struct interesting in = interesting_of(a, &two.refuse), more = interesting_of(a, &two.allow);
	struct oracle allow = oracle_build(a, &two.allow, SECCOMP_RET_ERRNO | ENOSYS);
	struct oracle refuse = oracle_build(a, &two.refuse, SECCOMP_RET_ALLOW);
	struct sock_filter *filter = NULL;
	size_t n_filter = 0, n = 0;

	for (size_t i = 0; i < more.n; i++)
		interesting_add(a, &in, more.values[i]);
	assert_int_equal(seccomp_compile(a, &ours, caps, &filter, &n_filter, NULL), 0);
	for (size_t abi = 0; seccomp_abi_at(abi); abi++)
		for (uint32_t nr = seccomp_abi_at(abi)->base; nr < seccomp_abi_at(abi)->base + CALLS_TO; nr++) {
			const char *name = seccomp_name_find(abi, nr);
			uint32_t arch = seccomp_abi_at(abi)->audit_arch;

			/* libseccomp reads rules for socket as rules for socketcall, too. */
			if (!name || !oracle_knows(name) || text_is(name, "socketcall"))
				continue;
			for (size_t round = 0; round < ROUNDS; round++, n++) {
				uint64_t args[6];
				uint32_t verdict, wanted;

				for (size_t i = 0; i < 6; i++)
					args[i] = random_arg(&in);
				verdict = seccomp_verdict(filter, n_filter, arch, nr, args);
				wanted = seccomp_verdict(refuse.filter, refuse.n, arch, nr, args);
				if (wanted == SECCOMP_RET_ALLOW)
					wanted = seccomp_verdict(allow.filter, allow.n, arch, nr, args);
				if (verdict != wanted)
					fail_msg("%s (%zu): args %#llx %#llx %#llx: nook %#x, libseccomp %#x", name,
						abi, (unsigned long long)args[0], (unsigned long long)args[1],
						(unsigned long long)args[2], verdict, wanted);
			}
		}
	assert_true(n > 4000);
}

static void test_default_profile_agrees(void **state)
{
	(void)state;
	compare_default(CAPS_DEFAULT, false);
	compare_default(CAPS_DEFAULT, true);
	compare_default(CAPS_ALL, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_profiles_agree),
		cmocka_unit_test(test_many_conditions_on_one_call),
		cmocka_unit_test(test_profile_of_the_field_agrees),
		cmocka_unit_test(test_installed_profile_agrees),
		cmocka_unit_test(test_default_profile_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
