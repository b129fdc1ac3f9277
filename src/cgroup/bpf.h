/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The few BPF instructions that nook's programs are made of. */
#pragma once

#include <linux/bpf.h>

/* 32-bit arithmetic: the upper half of the register becomes zero. */
#define BPF_ALU_IMM(op, to, number) \
	((struct bpf_insn){.code = BPF_ALU | BPF_OP(op) | BPF_K, .dst_reg = (to), .imm = (number)})
#define BPF_MOVE_REG(to, from) ((struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from)})
#define BPF_MOVE_IMM(to, number) ((struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (number)})
#define BPF_LOAD_WORD(to, from, offset) \
	((struct bpf_insn){.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = (to), .src_reg = (from), .off = (offset)})
#define BPF_STORE_WORD(to, offset, from) \
	((struct bpf_insn){.code = BPF_STX | BPF_W | BPF_MEM, .dst_reg = (to), .src_reg = (from), .off = (offset)})
#define BPF_JUMP_IMM(op, reg, number, offset) \
	((struct bpf_insn){.code = BPF_JMP32 | BPF_OP(op) | BPF_K, .dst_reg = (reg), .off = (offset), .imm = (number)})
#define BPF_JUMP_ALWAYS(offset) ((struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = (offset)})
#define BPF_EXIT_INSN() ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})
