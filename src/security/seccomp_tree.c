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
 * Jumps of classic BPF reach 255 instructions; where a half or an architecture may be larger, the conditional jump
 * steps over an unconditional one, which reaches anywhere.  All jumps lead forward, so the program is written from its
 * end to its start: then the way to what follows is known.
 */
#include "security/seccomp_tree.h"

#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

enum { JUMP_MAX = 255 };
/* The most that one condition, a node of the search with its leaf, an architecture's frame and the whole's need. */
enum { ARG_INSNS = 6, LEAF_INSNS = 3, TREE_INSNS = 3, FRAME_INSNS = 2 };
enum { CHECK_INSNS = SECCOMP_ARGS * ARG_INSNS + 1 };
_Static_assert(CHECK_INSNS < JUMP_MAX - 1, "a check fits in one jump");

#define LD_ABS (BPF_LD | BPF_W | BPF_ABS)
#define AND_K (BPF_ALU | BPF_AND | BPF_K)
#define RET_K (BPF_RET | BPF_K)
#define JA (BPF_JMP | BPF_JA)
#define JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define JGT (BPF_JMP | BPF_JGT | BPF_K)
#define JGE (BPF_JMP | BPF_JGE | BPF_K)

/* Where a condition's jumps lead; resolved when the check's end is known. */
enum { NEXT = 0, PASS = 0xfe, FAIL = 0xff };

/* Grows downwards: the program is what lies from AT to the end. */
struct program {
	struct sock_filter *insns;
	size_t at;
};

/* A few instructions in their order, to be put before the program. */
struct piece {
	struct sock_filter insns[CHECK_INSNS];
	size_t n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p->insns[--p->at] = (struct sock_filter){code, jt, jf, k};
}

static void add(struct piece *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p->insns[p->n++] = (struct sock_filter){code, jt, jf, k};
}

static uint32_t arg_at(uint32_t index, bool high)
{
	bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	return (uint32_t)(offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) +
			  (second ? sizeof(uint32_t) : 0));
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
	[SECCOMP_OP_NE] = {{{JEQ, NEXT, PASS}}, {JEQ, FAIL, PASS}},
	[SECCOMP_OP_LT] = {{{JGT, FAIL, NEXT}, {JEQ, NEXT, PASS}}, {JGE, FAIL, PASS}},
	[SECCOMP_OP_LE] = {{{JGT, FAIL, NEXT}, {JEQ, NEXT, PASS}}, {JGT, FAIL, PASS}},
	[SECCOMP_OP_EQ] = {{{JEQ, NEXT, FAIL}}, {JEQ, PASS, FAIL}},
	[SECCOMP_OP_GE] = {{{JGT, PASS, NEXT}, {JEQ, NEXT, FAIL}}, {JGE, PASS, FAIL}},
	[SECCOMP_OP_GT] = {{{JGT, PASS, NEXT}, {JEQ, NEXT, FAIL}}, {JGT, PASS, FAIL}},
	[SECCOMP_OP_MASKED_EQ] = {{{JEQ, NEXT, FAIL}}, {JEQ, PASS, FAIL}},
};

/* One word of an argument, masked if need be. */
static void add_load(struct piece *p, uint32_t index, bool high, uint32_t mask)
{
	add(p, LD_ABS, arg_at(index, high), 0, 0);
	if (mask != UINT32_MAX)
		add(p, AND_K, mask, 0, 0);
}

static void add_condition(struct piece *p, const struct seccomp_arg *arg, bool narrow)
{
	const struct compare *c = &compares[arg->op];
	bool masked = arg->op == SECCOMP_OP_MASKED_EQ;
	uint64_t mask = masked ? arg->value : UINT64_MAX;
	uint64_t value = masked ? arg->value_two & mask : arg->value;

	if (!narrow && mask >> 32) {
		add_load(p, arg->index, true, (uint32_t)(mask >> 32));
		for (size_t i = 0; i < 2 && c->high[i].code; i++)
			add(p, c->high[i].code, (uint32_t)(value >> 32), c->high[i].jt, c->high[i].jf);
	}
	add_load(p, arg->index, false, (uint32_t)mask);
	add(p, c->low.code, (uint32_t)value, c->low.jt, c->low.jf);
}

/* Turns PASS and FAIL into distances: PASS to the end of this condition, FAIL to the end of the whole check. */
static void resolve(struct piece *p, size_t from, size_t pass)
{
	size_t fail = p->n;

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
	struct piece piece;

	piece.n = 0;
	for (size_t i = 0; i < check->n_args; i++) {
		start[i] = piece.n;
		add_condition(&piece, &check->args[i], narrow);
	}
	start[check->n_args] = piece.n;
	add(&piece, RET_K, check->verdict, 0, 0);
	for (size_t i = 0; i < check->n_args; i++)
		resolve(&piece, start[i], start[i + 1]);
	p->at -= piece.n;
	memcpy(&p->insns[p->at], piece.insns, piece.n * sizeof(piece.insns[0]));
}

static void put_leaf(struct program *p, const struct seccomp_range *range)
{
	put(p, RET_K, range->verdict, 0, 0);
	for (size_t i = range->n_checks; i-- > 0;)
		put_check(p, &range->checks[i], range->narrow);
}

/* The depth of this recursion is the logarithm of the number of ranges. */
static void put_search(struct program *p, const struct seccomp_range *ranges, size_t n)
{
	size_t half = n / 2, right, left;

	if (n == 1) {
		put_leaf(p, ranges);
		return;
	}
	put_search(p, ranges + half, n - half);
	right = p->at;
	put_search(p, ranges, half);
	left = right - p->at;
	if (left <= JUMP_MAX) {
		put(p, JGE, ranges[half].first, (uint8_t)left, 0);
	} else {
		put(p, JA, (uint32_t)left, 0, 0);
		put(p, JGE, ranges[half].first, 0, 1);
	}
}

static void put_tree(struct program *p, const struct seccomp_tree *tree)
{
	size_t next = p->at;

	put_search(p, tree->ranges, tree->n_ranges);
	put(p, LD_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	put(p, JA, (uint32_t)(next - p->at), 0, 0);
	put(p, JEQ, tree->audit_arch, 1, 0);
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
	p.at = room;
	put(&p, RET_K, bad_arch, 0, 0);
	for (size_t i = n_trees; i-- > 0;)
		put_tree(&p, &trees[i]);
	put(&p, LD_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	if (room - p.at > BPF_MAXINSNS)
		return err_fmt(e, STEP_SECCOMP, "profile", E2BIG, "it needs %zu instructions and the kernel takes %d",
			room - p.at, BPF_MAXINSNS);
	*ret = p.insns + p.at;
	*ret_n = room - p.at;
	return 0;
}
