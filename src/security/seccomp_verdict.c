/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp.h"

#include <linux/seccomp.h>
#include <string.h>

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
	struct seccomp_data data;
};

/* What the kernel refuses to load cannot run; such a program kills. */
enum { BROKEN = -1 };

static int alu(struct machine *m, uint16_t code, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		m->a += operand;
		return 0;
	case BPF_SUB:
		m->a -= operand;
		return 0;
	case BPF_MUL:
		m->a *= operand;
		return 0;
	case BPF_DIV:
		if (!operand)
			return BROKEN;
		m->a /= operand;
		return 0;
	case BPF_AND:
		m->a &= operand;
		return 0;
	case BPF_OR:
		m->a |= operand;
		return 0;
	case BPF_XOR:
		m->a ^= operand;
		return 0;
	case BPF_LSH:
		m->a = operand < 32 ? m->a << operand : 0;
		return 0;
	case BPF_RSH:
		m->a = operand < 32 ? m->a >> operand : 0;
		return 0;
	case BPF_NEG:
		m->a = -m->a;
		return 0;
	default:
		return BROKEN;
	}
}

static int jump_taken(const struct machine *m, uint16_t code, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return m->a == operand;
	case BPF_JGT:
		return m->a > operand;
	case BPF_JGE:
		return m->a >= operand;
	case BPF_JSET:
		return (m->a & operand) != 0;
	default:
		return BROKEN;
	}
}

static int load(const struct machine *m, uint16_t code, uint32_t k, uint32_t *ret)
{
	switch (BPF_MODE(code)) {
	case BPF_IMM:
		*ret = k;
		return 0;
	case BPF_LEN:
		*ret = sizeof(m->data);
		return 0;
	case BPF_MEM:
		if (k >= BPF_MEMWORDS)
			return BROKEN;
		*ret = m->memory[k];
		return 0;
	case BPF_ABS:
		if (BPF_CLASS(code) != BPF_LD || BPF_SIZE(code) != BPF_W || k % 4 || k > sizeof(m->data) - 4)
			return BROKEN;
		memcpy(ret, (const char *)&m->data + k, sizeof(*ret));
		return 0;
	default:
		return BROKEN;
	}
}

/* Everything but jumps and returns. */
static int step(struct machine *m, const struct sock_filter *f)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
		return load(m, f->code, f->k, &m->a);
	case BPF_LDX:
		return load(m, f->code, f->k, &m->x);
	case BPF_ST:
	case BPF_STX:
		if (f->k >= BPF_MEMWORDS)
			return BROKEN;
		m->memory[f->k] = BPF_CLASS(f->code) == BPF_ST ? m->a : m->x;
		return 0;
	case BPF_ALU:
		return alu(m, f->code, BPF_SRC(f->code) == BPF_X ? m->x : f->k);
	case BPF_MISC:
		if (BPF_MISCOP(f->code) == BPF_TAX)
			m->x = m->a;
		else
			m->a = m->x;
		return 0;
	default:
		return BROKEN;
	}
}

uint32_t seccomp_verdict(const struct sock_filter *f, size_t n, uint32_t arch, uint32_t nr, const uint64_t args[6])
{
	struct machine m = {.data = {.nr = (int)nr, .arch = arch}};

	memcpy(m.data.args, args, sizeof(m.data.args));
	for (size_t pc = 0; pc < n; pc++) {
		uint16_t code = f[pc].code;
		int taken;

		if (BPF_CLASS(code) == BPF_RET)
			return BPF_RVAL(code) == BPF_A ? m.a : f[pc].k;
		if (BPF_CLASS(code) != BPF_JMP) {
			if (step(&m, &f[pc]) < 0)
				break;
			continue;
		}
		if (BPF_OP(code) == BPF_JA) {
			pc += f[pc].k;
			continue;
		}
		taken = jump_taken(&m, code, BPF_SRC(code) == BPF_X ? m.x : f[pc].k);
		if (taken < 0)
			break;
		pc += taken ? f[pc].jt : f[pc].jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
