/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program looks like this:
 *
 *     load arch
 *     is it the first?  no: go to the next one's test
 *     load nr
 *     binary search: "nr >= start of the right half" at each node, left half first
 *       leaf without checks: return
 *       leaf with checks: each check's conditions in turn; one that fails goes to the next check
 *     ... the other architectures ...
 *     return bad_arch
 *
 * When a filter is loaded, the kernel runs it once for every system call number to learn which ones it always allows;
 * so it is the length of a path that costs, not the number of instructions.
 *
 * Jumps of classic BPF reach 255 instructions; where a half or an architecture may be larger, the conditional jump steps
 * over an unconditional one, which reaches anywhere.
 */
#include "security/seccomp_tree.h"

#include <assert.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

enum { JUMP_MAX = 255 };
/* The most that one condition, a node of the search with its leaf, and an architecture's frame need. */
enum { ARG_INSNS = 6, LEAF_INSNS = 3, TREE_INSNS = 3, FRAME_INSNS = 2 };
_Static_assert(SECCOMP_ARGS * ARG_INSNS + 1 < JUMP_MAX - 1, "a check fits in one jump");

#define LD_ABS (BPF_LD | BPF_W | BPF_ABS)
#define AND_K (BPF_ALU | BPF_AND | BPF_K)
#define RET_K (BPF_RET | BPF_K)
#define JA (BPF_JMP | BPF_JA)
#define JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define JGT (BPF_JMP | BPF_JGT | BPF_K)
#define JGE (BPF_JMP | BPF_JGE | BPF_K)

/* Where a condition's jumps lead; resolved when the check's end is known. */
enum { NEXT = 0, PASS = 0xfe, FAIL = 0xff };

struct program {
	struct sock_filter *insns;
	size_t n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p->insns[p->n++] = (struct sock_filter){code, jt, jf, k};
}

static uint32_t arg_at(uint32_t index, bool high)
{
	bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	return (uint32_t)(offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) + (second ? sizeof(uint32_t) : 0));
}

/*
 * How each comparison reads the words: the high word either decides (jumps away) or leaves it to the low word.
 * Jumps lead to PASS (the condition holds), FAIL, or NEXT (the instruction that follows).
 */
static const struct compare {
	struct {
		uint16_t code;
		uint8_t jt, jf;
	} high[2], low;
} compares[] = {
	[1] = {{{JEQ, NEXT, PASS}}, {JEQ, FAIL, PASS}},                    /* NE */
	[2] = {{{JGT, FAIL, NEXT}, {JEQ, NEXT, PASS}}, {JGE, FAIL, PASS}}, /* LT */
	[3] = {{{JGT, FAIL, NEXT}, {JEQ, NEXT, PASS}}, {JGT, FAIL, PASS}}, /* LE */
	[4] = {{{JEQ, NEXT, FAIL}}, {JEQ, PASS, FAIL}},                    /* EQ */
	[5] = {{{JGT, PASS, NEXT}, {JEQ, NEXT, FAIL}}, {JGE, PASS, FAIL}}, /* GE */
	[6] = {{{JGT, PASS, NEXT}, {JEQ, NEXT, FAIL}}, {JGT, PASS, FAIL}}, /* GT */
	[7] = {{{JEQ, NEXT, FAIL}}, {JEQ, PASS, FAIL}},                    /* MASKED_EQ */
};

/* One word of an argument, masked if need be. */
static void put_load(struct program *p, uint32_t index, bool high, uint32_t mask)
{
	put(p, LD_ABS, arg_at(index, high), 0, 0);
	if (mask != UINT32_MAX)
		put(p, AND_K, mask, 0, 0);
}

static void put_condition(struct program *p, const struct seccomp_arg *arg, bool narrow)
{
	const struct compare *c = &compares[arg->op];
	bool masked = arg->op == SECCOMP_OP_MASKED_EQ;
	uint64_t mask = masked ? arg->value : UINT64_MAX;
	uint64_t value = masked ? arg->value_two & mask : arg->value;

	if (!narrow && mask >> 32) {
		put_load(p, arg->index, true, (uint32_t)(mask >> 32));
		for (size_t i = 0; i < 2 && c->high[i].code; i++)
			put(p, c->high[i].code, (uint32_t)(value >> 32), c->high[i].jt, c->high[i].jf);
	}
	put_load(p, arg->index, false, (uint32_t)mask);
	put(p, c->low.code, (uint32_t)value, c->low.jt, c->low.jf);
}

/* Turns PASS and FAIL into distances: PASS to the end of this condition, FAIL to the end of the whole check. */
static void resolve(struct program *p, size_t from, size_t pass, size_t fail)
{
	for (size_t i = from; i < pass; i++) {
		struct sock_filter *f = &p->insns[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (f->jt == PASS)
			f->jt = (uint8_t)(pass - i - 1);
		else if (f->jt == FAIL)
			f->jt = (uint8_t)(fail - i - 1);
		if (f->jf == PASS)
			f->jf = (uint8_t)(pass - i - 1);
		else if (f->jf == FAIL)
			f->jf = (uint8_t)(fail - i - 1);
	}
}

static void put_check(struct program *p, const struct seccomp_check *check, bool narrow)
{
	size_t start[SECCOMP_ARGS + 1];

	for (size_t i = 0; i < check->n_args; i++) {
		start[i] = p->n;
		put_condition(p, &check->args[i], narrow);
	}
	start[check->n_args] = p->n;
	put(p, RET_K, check->verdict, 0, 0);
	for (size_t i = 0; i < check->n_args; i++)
		resolve(p, start[i], start[i + 1], p->n);
}

static void put_leaf(struct program *p, const struct seccomp_range *range)
{
	for (size_t i = 0; i < range->n_checks; i++)
		put_check(p, &range->checks[i], range->narrow);
	put(p, RET_K, range->verdict, 0, 0);
}

/* The depth of this recursion is the logarithm of the number of ranges. */
static void put_search(struct program *p, const struct seccomp_range *ranges, size_t n)
{
	size_t half = n / 2, at = p->n, left;

	if (n == 1) {
		put_leaf(p, ranges);
		return;
	}
	put(p, JGE, ranges[half].first, 0, 0);
	put_search(p, ranges, half);
	left = p->n - at - 1;
	if (left <= JUMP_MAX) {
		p->insns[at].jt = (uint8_t)left;
	} else {
		/* Jumps are relative, so the half can be moved to make room. */
		memmove(&p->insns[at + 2], &p->insns[at + 1], left * sizeof(p->insns[0]));
		p->n++;
		p->insns[at].jf = 1;
		p->insns[at + 1] = (struct sock_filter){JA, 0, 0, (uint32_t)left};
	}
	put_search(p, ranges + half, n - half);
}

static void put_tree(struct program *p, const struct seccomp_tree *tree)
{
	size_t jump;

	put(p, JEQ, tree->audit_arch, 1, 0);
	jump = p->n;
	put(p, JA, 0, 0, 0);
	put(p, LD_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	put_search(p, tree->ranges, tree->n_ranges);
	p->insns[jump].k = (uint32_t)(p->n - jump - 1);
}

static size_t room_for(const struct seccomp_tree *tree)
{
	size_t room = TREE_INSNS;

	for (size_t i = 0; i < tree->n_ranges; i++) {
		const struct seccomp_range *range = &tree->ranges[i];

		room += LEAF_INSNS;
		for (size_t k = 0; k < range->n_checks; k++)
			room += range->checks[k].n_args * ARG_INSNS + 1;
	}
	return room;
}

int seccomp_tree_build(struct arena *a, const struct seccomp_tree *trees, size_t n_trees, uint32_t bad_arch,
                       struct sock_filter **ret, size_t *ret_n, struct nook_error *e)
{
	struct program p = {0};
	size_t room = FRAME_INSNS;

	for (size_t i = 0; i < n_trees; i++)
		room += room_for(&trees[i]);
	p.insns = arena_new_n(a, struct sock_filter, room);
	put(&p, LD_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	for (size_t i = 0; i < n_trees; i++)
		put_tree(&p, &trees[i]);
	put(&p, RET_K, bad_arch, 0, 0);
	assert(p.n <= room);
	if (p.n > BPF_MAXINSNS)
		return err_fmt(e, STEP_SECCOMP, "profile", E2BIG, "it needs %zu instructions and the kernel takes %d", p.n,
		               BPF_MAXINSNS);
	*ret = p.insns;
	*ret_n = p.n;
	return 0;
}
