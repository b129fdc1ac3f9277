/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The few BPF instructions that nook's programs are made of. */
#pragma once

#include <linux/bpf.h>

/* 32-bit arithmetic: the upper half of the register becomes zero. */
#define BPF_ALU_IMM(op, to, number) \
	((struct bpf_insn){.code = BPF_ALU | BPF_OP(op) | BPF_K, .dst_reg = (to) & 15, .imm = (number)})
#define BPF_ALU_REG(op, to, from) \
	((struct bpf_insn){.code = BPF_ALU | BPF_OP(op) | BPF_X, .dst_reg = (to) & 15, .src_reg = (from) & 15})
#define BPF_ALU_NEG(reg) ((struct bpf_insn){.code = BPF_ALU | BPF_NEG, .dst_reg = (reg) & 15})
#define BPF_MOVE_REG(to, from) ((struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = (to) & 15, .src_reg = (from) & 15})
#define BPF_MOVE_IMM(to, number) ((struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = (to) & 15, .imm = (number)})
#define BPF_LOAD_WORD(to, from, offset) \
	((struct bpf_insn){.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = (to) & 15, .src_reg = (from) & 15, .off = (offset)})
#define BPF_STORE_WORD(to, offset, from) \
	((struct bpf_insn){.code = BPF_STX | BPF_W | BPF_MEM, .dst_reg = (to) & 15, .src_reg = (from) & 15, .off = (offset)})
#define BPF_EXIT_INSN() ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})
