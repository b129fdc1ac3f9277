/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The v2 program goes through the rules in order with what is granted so far in a register, which each rule that speaks of the
 * device adds to or takes from: a later rule wins bit by bit, and "rw" may be granted by two.  It has no jumps: the kernel
 * follows each way through a program when it is loaded, and a jump or two for each rule took it 0.35 ms of 0.4 for the
 * default rules.
 */
#include "cgroup/devices.h"
#include "cgroup/bpf.h"

#include <inttypes.h>

enum { RULES_MAX = 2000, ALL = DEV_READ | DEV_WRITE | DEV_MKNOD };

static bool is_everything(const struct spec_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == ALL;
}

bool devices_allow_all(const struct spec_device_rule *rules, size_t n)
{
	for (size_t i = n; i > 0; i--) {
		if (!rules[i - 1].allow)
			return false;
		if (is_everything(&rules[i - 1]))
			return true;
	}
	return n == 0;
}

static int check(const struct spec_device_rule *rules, size_t n, struct nook_error *e)
{
	if (n > RULES_MAX)
		return err_why(e, STEP_DEVICES, "linux.resources.devices", E2BIG, "more than 2000 rules");
	for (size_t i = 0; i < n; i++)
		if (rules[i].major > UINT32_MAX || rules[i].minor > UINT32_MAX)
			return err_why(e, STEP_DEVICES, "linux.resources.devices", ERANGE, "a device number is larger than 32 bits");
	return 0;
}

/* ---- v1 ------------------------------------------------------------------------------------------------------------- */

static const char *number(struct arena *a, int64_t n)
{
	return n < 0 ? "*" : arena_printf(a, "%" PRId64, n);
}

static void add_line(struct arena *a, struct device_line **lines, size_t *n, const struct spec_device_rule *r, char type)
{
	*arena_push(a, lines, n) = (struct device_line){
		.file = r->allow ? "devices.allow" : "devices.deny",
		.value = arena_printf(a, "%c %s:%s %s%s%s", type, number(a, r->major), number(a, r->minor),
	                          r->access & DEV_READ ? "r" : "", r->access & DEV_WRITE ? "w" : "", r->access & DEV_MKNOD ? "m" : ""),
	};
}

static bool types_meet(char x, char y)
{
	return x == 'a' || y == 'a' || x == y;
}

static bool numbers_meet(int64_t x, int64_t y)
{
	return x < 0 || y < 0 || x == y;
}

/* Do the two speak of one device at least, without speaking of the same ones? */
static bool is_partial(const struct spec_device_rule *x, const struct spec_device_rule *y)
{
	bool same = x->type == y->type && x->major == y->major && x->minor == y->minor;

	return !same && types_meet(x->type, y->type) && numbers_meet(x->major, y->major) && numbers_meet(x->minor, y->minor) &&
	       (x->access & y->access);
}

int devices_v1(struct arena *a, const struct spec_device_rule *rules, size_t n, struct device_line **ret, size_t *ret_n,
               struct nook_error *e)
{
	static const struct spec_device_rule deny_all = {false, 'a', -1, -1, ALL};
	const struct spec_device_rule *base = &deny_all;
	struct device_line *lines = NULL;
	size_t n_lines = 0, first = 0;

	TRY(check(rules, n, e));
	for (size_t i = 0; i < n; i++)
		if (is_everything(&rules[i])) {
			base = &rules[i];
			first = i + 1;
		}
	*arena_push(a, &lines, &n_lines) =
		(struct device_line){.file = base->allow ? "devices.allow" : "devices.deny", .value = "a"};
	for (size_t i = first; i < n; i++) {
		const struct spec_device_rule *r = &rules[i];

		/* The kernel keeps a list of exceptions from the base; one rule takes back another only when they are alike. */
		for (size_t k = first; k < i && r->allow == base->allow; k++)
			if (rules[k].allow != base->allow && is_partial(r, &rules[k]))
				return err_fmt(e, STEP_DEVICES, "linux.resources.devices", EOPNOTSUPP,
				               "cgroup v1 cannot take a part of rule %zu back with rule %zu", k + 1, i + 1);
		if (r->type != 'a') {
			add_line(a, &lines, &n_lines, r, r->type);
			continue;
		}
		/* "a" stands for everything in the kernel, whatever numbers follow. */
		add_line(a, &lines, &n_lines, r, 'b');
		add_line(a, &lines, &n_lines, r, 'c');
	}
	*ret = lines;
	*ret_n = n_lines;
	return 0;
}

/* ---- v2 ------------------------------------------------------------------------------------------------------------- */

enum {
	R_TYPE = BPF_REG_2,
	R_WANTED = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5,
	R_GRANTED = BPF_REG_6,
	R_DIFFERS = BPF_REG_7, /* 0: the rule speaks of this device */
	R_OTHER = BPF_REG_8,
	R_BIT = BPF_REG_9,
};

/* Minor numbers that rules name one after the other, alike in all else, are bits of one word. */
enum { MINORS = 32 };

struct device_set {
	struct spec_device_rule rule; /* minor -1: all, or those of the word */
	uint32_t minors;              /* 0: no word */
};

static int bpf_access(unsigned access)
{
	return (access & DEV_READ ? BPF_DEVCG_ACC_READ : 0) | (access & DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

static void add(struct arena *a, struct bpf_list *p, struct bpf_insn insn)
{
	*arena_push(a, &p->insns, &p->n) = insn;
}

static void add_differs(struct arena *a, struct bpf_list *p, unsigned reg, uint32_t number)
{
	add(a, p, BPF_MOVE_REG(R_OTHER, reg));
	add(a, p, BPF_ALU_IMM(BPF_XOR, R_OTHER, (int32_t)number));
	add(a, p, BPF_ALU_REG(BPF_OR, R_DIFFERS, R_OTHER));
}

/* REG becomes 1 when it is 0, else 0: without a jump, for which the verifier would follow both ways from each rule on. */
static void add_is_zero(struct arena *a, struct bpf_list *p, unsigned reg)
{
	add(a, p, BPF_MOVE_REG(R_OTHER, reg));
	add(a, p, BPF_ALU_NEG(R_OTHER));
	add(a, p, BPF_ALU_REG(BPF_OR, reg, R_OTHER));
	add(a, p, BPF_ALU_IMM(BPF_RSH, reg, 31));
	add(a, p, BPF_ALU_IMM(BPF_XOR, reg, 1));
}

/* R_BIT becomes the minor number's bit of the word. */
static void add_bit(struct arena *a, struct bpf_list *p, uint32_t word)
{
	add(a, p, BPF_MOVE_REG(R_OTHER, R_MINOR));
	add(a, p, BPF_ALU_IMM(BPF_AND, R_OTHER, MINORS - 1));
	add(a, p, BPF_MOVE_IMM(R_BIT, (int32_t)word));
	add(a, p, BPF_ALU_REG(BPF_RSH, R_BIT, R_OTHER));
	add(a, p, BPF_ALU_IMM(BPF_AND, R_BIT, 1));
}

static void add_set(struct arena *a, struct bpf_list *p, const struct device_set *set)
{
	const struct spec_device_rule *r = &set->rule;
	int access = bpf_access(r->access);

	add(a, p, BPF_MOVE_IMM(R_DIFFERS, 0));
	if (r->type != 'a')
		add_differs(a, p, R_TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->major >= 0)
		add_differs(a, p, R_MAJOR, (uint32_t)r->major);
	if (r->minor >= 0)
		add_differs(a, p, R_MINOR, (uint32_t)r->minor);
	if (set->minors) {
		add(a, p, BPF_MOVE_REG(R_OTHER, R_MINOR));
		add(a, p, BPF_ALU_IMM(BPF_AND, R_OTHER, ~(MINORS - 1)));
		add(a, p, BPF_ALU_REG(BPF_OR, R_DIFFERS, R_OTHER));
	}
	add_is_zero(a, p, R_DIFFERS);
	if (set->minors) {
		add_bit(a, p, set->minors);
		add(a, p, BPF_ALU_REG(BPF_AND, R_DIFFERS, R_BIT));
	}
	add(a, p, BPF_ALU_IMM(BPF_MUL, R_DIFFERS, access));
	if (r->allow) {
		add(a, p, BPF_ALU_REG(BPF_OR, R_GRANTED, R_DIFFERS));
	} else {
		add(a, p, BPF_ALU_IMM(BPF_XOR, R_DIFFERS, -1));
		add(a, p, BPF_ALU_REG(BPF_AND, R_GRANTED, R_DIFFERS));
	}
}

static bool is_alike(const struct spec_device_rule *x, const struct spec_device_rule *y)
{
	return x->allow == y->allow && x->type == y->type && x->major == y->major && x->access == y->access && y->minor >= 0 &&
	       y->minor < MINORS;
}

/* RULES from the first on that make one set: how many. */
static size_t take_set(const struct spec_device_rule *rules, size_t n, struct device_set *ret)
{
	struct device_set set = {.rule = rules[0]};
	size_t taken = 1;

	if (rules[0].minor >= 0 && rules[0].minor < MINORS) {
		set.minors = 1U << rules[0].minor;
		for (; taken < n && is_alike(&rules[0], &rules[taken]); taken++)
			set.minors |= 1U << rules[taken].minor;
	}
	if (taken > 1)
		set.rule.minor = -1;
	else
		set.minors = 0;
	*ret = set;
	return taken;
}

int devices_program(struct arena *a, const struct spec_device_rule *rules, size_t n, struct bpf_list *ret, struct nook_error *e)
{
	struct bpf_list p = {0};
	bool allow = false;
	size_t first = 0, taken;

	TRY(check(rules, n, e));
	for (size_t i = 0; i < n; i++)
		if (is_everything(&rules[i])) {
			allow = rules[i].allow;
			first = i + 1;
		}
	add(a, &p, BPF_LOAD_WORD(R_TYPE, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	add(a, &p, BPF_MOVE_REG(R_WANTED, R_TYPE));
	add(a, &p, BPF_ALU_IMM(BPF_AND, R_TYPE, 0xffff));
	add(a, &p, BPF_ALU_IMM(BPF_RSH, R_WANTED, 16));
	add(a, &p, BPF_LOAD_WORD(R_MAJOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major)));
	add(a, &p, BPF_LOAD_WORD(R_MINOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	add(a, &p, BPF_MOVE_IMM(R_GRANTED, allow ? bpf_access(ALL) : 0));
	for (size_t i = first; i < n; i += taken) {
		struct device_set set;

		taken = take_set(&rules[i], n - i, &set);
		if (set.rule.access)
			add_set(a, &p, &set);
	}
	/* Nothing is wanted that is not granted. */
	add(a, &p, BPF_ALU_IMM(BPF_XOR, R_GRANTED, -1));
	add(a, &p, BPF_MOVE_REG(BPF_REG_0, R_WANTED));
	add(a, &p, BPF_ALU_REG(BPF_AND, BPF_REG_0, R_GRANTED));
	add_is_zero(a, &p, BPF_REG_0);
	add(a, &p, BPF_EXIT_INSN());
	*ret = p;
	return 0;
}
