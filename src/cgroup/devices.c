/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The v2 program looks at the rules from the last to the first with the wanted access in a register: a rule that allows
 * takes its bits out (none left: allowed), one that denies and has a bit of the rest ends it.  So "rw" may be granted by
 * two rules, and a later rule wins bit by bit.
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

enum { R_TYPE = BPF_REG_2, R_REST = BPF_REG_3, R_MAJOR = BPF_REG_4, R_MINOR = BPF_REG_5 };

static int bpf_access(unsigned access)
{
	return (access & DEV_READ ? BPF_DEVCG_ACC_READ : 0) | (access & DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

static size_t add(struct arena *a, struct bpf_list *p, struct bpf_insn insn)
{
	*arena_push(a, &p->insns, &p->n) = insn;
	return p->n - 1;
}

/* Instructions that leave the rule are patched to jump behind it. */
static void add_rule(struct arena *a, struct bpf_list *p, const struct spec_device_rule *r)
{
	size_t skip[4], n_skip = 0;
	int access = bpf_access(r->access);

	if (r->type != 'a')
		skip[n_skip++] = add(a, p, BPF_JUMP_IMM(BPF_JNE, R_TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, 0));
	if (r->major >= 0)
		skip[n_skip++] = add(a, p, BPF_JUMP_IMM(BPF_JNE, R_MAJOR, (int32_t)r->major, 0));
	if (r->minor >= 0)
		skip[n_skip++] = add(a, p, BPF_JUMP_IMM(BPF_JNE, R_MINOR, (int32_t)r->minor, 0));
	if (r->allow) {
		(void)add(a, p, BPF_ALU_IMM(BPF_AND, R_REST, ~access));
		skip[n_skip++] = add(a, p, BPF_JUMP_IMM(BPF_JNE, R_REST, 0, 0));
	} else {
		(void)add(a, p, BPF_JUMP_IMM(BPF_JSET, R_REST, access, 1));
		skip[n_skip++] = add(a, p, BPF_JUMP_ALWAYS(0));
	}
	(void)add(a, p, BPF_MOVE_IMM(BPF_REG_0, r->allow));
	(void)add(a, p, BPF_EXIT_INSN());
	for (size_t i = 0; i < n_skip; i++)
		p->insns[skip[i]].off = (int16_t)(p->n - skip[i] - 1);
}

int devices_program(struct arena *a, const struct spec_device_rule *rules, size_t n, struct bpf_list *ret, struct nook_error *e)
{
	struct bpf_list p = {0};
	bool allow = false;
	size_t first = 0;

	TRY(check(rules, n, e));
	for (size_t i = 0; i < n; i++)
		if (is_everything(&rules[i])) {
			allow = rules[i].allow;
			first = i + 1;
		}
	(void)add(a, &p, BPF_LOAD_WORD(R_TYPE, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	(void)add(a, &p, BPF_MOVE_REG(R_REST, R_TYPE));
	(void)add(a, &p, BPF_ALU_IMM(BPF_AND, R_TYPE, 0xffff));
	(void)add(a, &p, BPF_ALU_IMM(BPF_RSH, R_REST, 16));
	(void)add(a, &p, BPF_LOAD_WORD(R_MAJOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major)));
	(void)add(a, &p, BPF_LOAD_WORD(R_MINOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	for (size_t i = n; i > first; i--)
		if (rules[i - 1].access)
			add_rule(a, &p, &rules[i - 1]);
	(void)add(a, &p, BPF_MOVE_IMM(BPF_REG_0, allow));
	(void)add(a, &p, BPF_EXIT_INSN());
	*ret = p;
	return 0;
}
