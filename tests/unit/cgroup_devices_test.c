/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF program is run by a small interpreter and compared with the rules read one by one. */
#include "cgroup/bpf.h"
#include "cgroup/devices.h"
#include "tests.h"

#include <stdlib.h>

enum { ALL = DEV_READ | DEV_WRITE | DEV_MKNOD };

static int run_program(const struct bpf_list *p, char type, unsigned access, uint32_t major, uint32_t minor)
{
	uint32_t context[3] = {(type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR), major, minor};
	uint32_t r[11] = {0};

	context[0] |= ((access & DEV_READ ? BPF_DEVCG_ACC_READ : 0U) | (access & DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0U) |
	               (access & DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0U))
	              << 16;
	for (size_t at = 0; at < p->n; at++) {
		const struct bpf_insn *i = &p->insns[at];

		switch (i->code) {
		case BPF_LDX | BPF_W | BPF_MEM: r[i->dst_reg] = context[i->off / 4]; break;
		case BPF_ALU | BPF_MOV | BPF_X: r[i->dst_reg] = r[i->src_reg]; break;
		case BPF_ALU | BPF_MOV | BPF_K: r[i->dst_reg] = (uint32_t)i->imm; break;
		case BPF_ALU | BPF_AND | BPF_K: r[i->dst_reg] &= (uint32_t)i->imm; break;
		case BPF_ALU | BPF_RSH | BPF_K: r[i->dst_reg] >>= i->imm; break;
		case BPF_ALU | BPF_AND | BPF_X: r[i->dst_reg] &= r[i->src_reg]; break;
		case BPF_ALU | BPF_OR | BPF_X: r[i->dst_reg] |= r[i->src_reg]; break;
		case BPF_ALU | BPF_XOR | BPF_K: r[i->dst_reg] ^= (uint32_t)i->imm; break;
		case BPF_ALU | BPF_MUL | BPF_K: r[i->dst_reg] *= (uint32_t)i->imm; break;
		case BPF_ALU | BPF_NEG: r[i->dst_reg] = -r[i->dst_reg]; break;
		/* More than 31 would be undefined. */
		case BPF_ALU | BPF_RSH | BPF_X: assert_true(r[i->src_reg] < 32); r[i->dst_reg] >>= r[i->src_reg]; break;
		case BPF_JMP | BPF_EXIT: return (int)r[0];
		default: fail_msg("instruction %#x is not one of ours", i->code);
		}
	}
	fail_msg("the program has no end");
	return -1;
}

/* Later rules win, bit by bit; what no rule names is denied. */
static int judge(const struct spec_device_rule *rules, size_t n, char type, unsigned access, uint32_t major, uint32_t minor)
{
	unsigned allowed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct spec_device_rule *r = &rules[i];

		if ((r->type != 'a' && r->type != type) || (r->major >= 0 && r->major != major) || (r->minor >= 0 && r->minor != minor))
			continue;
		allowed = r->allow ? allowed | r->access : allowed & ~r->access;
	}
	return (access & ~allowed) == 0;
}

static void test_the_program_agrees_with_the_rules(void **state)
{
	static const char types[] = "abc";
	static const int minors[] = {-1, 0, 1, 2, 31, 32, 33, 64};
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct spec_device_rule rules[12];
		size_t n = (size_t)rand_r(&seed) % 13;
		AUTO(arena_free) struct arena *a = arena_new();
		struct bpf_list p;

		for (size_t i = 0; i < n; i++)
			rules[i] = (struct spec_device_rule){rand_r(&seed) % 2, types[rand_r(&seed) % 3], rand_r(&seed) % 4 - 1,
			                                     minors[rand_r(&seed) % 8], rand_r(&seed) % 2 ? ALL : (unsigned)rand_r(&seed) % 8};
		assert_int_equal(devices_program(a, rules, n, &p, NULL), 0);
		for (unsigned access = 1; access <= ALL; access++)
			for (uint32_t major = 0; major < 4; major++)
				for (size_t m = 1; m < sizeof(minors) / sizeof(minors[0]); m++)
					for (int t = 1; t < 3; t++)
						assert_int_equal(run_program(&p, types[t], access, major, (uint32_t)minors[m]),
						                 judge(rules, n, types[t], access, major, (uint32_t)minors[m]));
	}
}

static void test_read_and_write_may_come_from_two_rules(void **state)
{
	const struct spec_device_rule rules[] = {{true, 'c', 1, 3, DEV_READ}, {true, 'c', 1, 3, DEV_WRITE}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct bpf_list p;

	(void)state;
	assert_int_equal(devices_program(a, rules, 2, &p, NULL), 0);
	assert_int_equal(run_program(&p, 'c', DEV_READ | DEV_WRITE, 1, 3), 1);
	assert_int_equal(run_program(&p, 'c', ALL, 1, 3), 0);
}

static void test_rules_before_a_wildcard_cost_nothing(void **state)
{
	const struct spec_device_rule rules[] = {{true, 'c', 1, 3, ALL}, {false, 'a', -1, -1, ALL}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct bpf_list with, without;

	(void)state;
	assert_int_equal(devices_program(a, rules, 2, &with, NULL), 0);
	assert_int_equal(devices_program(a, rules + 1, 1, &without, NULL), 0);
	assert_int_equal(with.n, without.n);
}

static void test_v1_lines_start_from_nothing(void **state)
{
	const struct spec_device_rule rules[] = {{true, 'c', 1, 3, ALL}, {true, 'b', 8, -1, DEV_READ}, {true, 'a', 10, 200, DEV_WRITE}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct device_line *lines;
	size_t n;

	(void)state;
	assert_int_equal(devices_v1(a, rules, 3, &lines, &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_string_equal(lines[0].file, "devices.deny");
	assert_string_equal(lines[0].value, "a");
	assert_string_equal(lines[1].file, "devices.allow");
	assert_string_equal(lines[1].value, "c 1:3 rwm");
	assert_string_equal(lines[2].value, "b 8:* r");
	/* The kernel would take "a 10:200 w" for everything. */
	assert_string_equal(lines[3].value, "b 10:200 w");
	assert_string_equal(lines[4].value, "c 10:200 w");
}

static void test_v1_keeps_an_allowing_wildcard(void **state)
{
	const struct spec_device_rule rules[] = {{true, 'a', -1, -1, ALL}, {false, 'c', 1, 1, ALL}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct device_line *lines;
	size_t n;

	(void)state;
	assert_int_equal(devices_v1(a, rules, 2, &lines, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(lines[0].file, "devices.allow");
	assert_string_equal(lines[1].file, "devices.deny");
}

static void test_v1_refuses_what_it_cannot_say(void **state)
{
	const struct spec_device_rule rules[] = {{true, 'c', 1, -1, ALL}, {false, 'c', 1, 3, ALL}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct device_line *lines;
	struct bpf_list p;
	size_t n;

	(void)state;
	assert_int_equal(devices_v1(a, rules, 2, &lines, &n, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.detail, "rule 1 back with rule 2"));
	assert_int_equal(devices_program(a, rules, 2, &p, NULL), 0);
	assert_int_equal(run_program(&p, 'c', DEV_READ, 1, 3), 0);
	assert_int_equal(run_program(&p, 'c', DEV_READ, 1, 4), 1);
}

static void test_allowing_all_needs_nothing(void **state)
{
	const struct spec_device_rule all = {true, 'a', -1, -1, ALL}, none = {false, 'a', -1, -1, ALL};
	const struct spec_device_rule privileged[] = {none, all, {true, 'c', 1, 3, ALL}}, limited[] = {all, {false, 'c', 1, 1, ALL}};

	(void)state;
	assert_true(devices_allow_all(NULL, 0));
	assert_true(devices_allow_all(privileged, 3));
	assert_false(devices_allow_all(limited, 2));
	assert_false(devices_allow_all(&none, 1));
	assert_false(devices_allow_all(privileged + 2, 1));
}

static void test_numbers_beyond_32_bits_are_refused(void **state)
{
	const struct spec_device_rule rule = {true, 'c', 1LL << 33, 0, ALL};
	AUTO(arena_free) struct arena *a = arena_new();
	struct bpf_list p;

	(void)state;
	assert_int_equal(devices_program(a, &rule, 1, &p, NULL), -ERANGE);
}

static void test_v1_changes_what_differs_alone(void **state)
{
	static const char now[] = "c 1:3 rwm\nc 1:5 r\nb *:* m\nc 136:* rwm\n";
	const struct spec_device_rule rules[] = {
		{false, 'a', -1, -1, ALL},
		{true, 'b', -1, -1, DEV_MKNOD},
		{true, 'c', 1, 3, ALL},
		{true, 'c', 1, 5, DEV_READ | DEV_WRITE},
		{true, 'c', 10, 229, DEV_READ},
		{true, 'c', 1, 7, ALL},
		{false, 'c', 1, 7, ALL},
	};
	static const struct device_line wanted[] = {
		{"devices.allow", "c 1:5 w"}, {"devices.allow", "c 10:229 r"}, {"devices.deny", "c 136:* rwm"}};
	AUTO(arena_free) struct arena *a = arena_new();
	struct device_line *lines = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(devices_v1(a, rules, sizeof(rules) / sizeof(rules[0]), &lines, &n, NULL), 0);
	devices_v1_change(a, now, &lines, &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(lines[i].file, wanted[i].file);
		assert_string_equal(lines[i].value, wanted[i].value);
	}
	/* From a group that allows everything there is no other way than to begin anew. */
	assert_int_equal(devices_v1(a, rules, 3, &lines, &n, NULL), 0);
	devices_v1_change(a, "a *:* rwm\n", &lines, &n);
	assert_int_equal(n, 3);
	assert_string_equal(lines[0].value, "a");
	/* Nothing to do is nothing written. */
	devices_v1_change(a, "b *:* m\nc 1:3 rwm\n", &lines, &n);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_program_agrees_with_the_rules),
		cmocka_unit_test(test_read_and_write_may_come_from_two_rules),
		cmocka_unit_test(test_rules_before_a_wildcard_cost_nothing),
		cmocka_unit_test(test_v1_lines_start_from_nothing),
		cmocka_unit_test(test_v1_keeps_an_allowing_wildcard),
		cmocka_unit_test(test_v1_refuses_what_it_cannot_say),
		cmocka_unit_test(test_allowing_all_needs_nothing),
		cmocka_unit_test(test_numbers_beyond_32_bits_are_refused),
		cmocka_unit_test(test_v1_changes_what_differs_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
