/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that an older libseccomp does not know.  From 424 on all architectures count alike. */
#pragma once

#include <linux/audit.h>
#include <stdint.h>

static const struct {
	const char *name;
	uint16_t nr;
	uint32_t only; /* AUDIT_ARCH_* that alone has it, or 0 */
} newer_calls[] = {
	{"uretprobe", 335, AUDIT_ARCH_X86_64},
	{"uprobe", 336, AUDIT_ARCH_X86_64},
	{"riscv_hwprobe", 258, AUDIT_ARCH_RISCV64},
	{"process_mrelease", 448, 0},
	{"futex_waitv", 449, 0},
	{"set_mempolicy_home_node", 450, 0},
	{"cachestat", 451, 0},
	{"fchmodat2", 452, 0},
	{"map_shadow_stack", 453, 0},
	{"futex_wake", 454, 0},
	{"futex_wait", 455, 0},
	{"futex_requeue", 456, 0},
	{"statmount", 457, 0},
	{"listmount", 458, 0},
	{"lsm_get_self_attr", 459, 0},
	{"lsm_set_self_attr", 460, 0},
	{"lsm_list_modules", 461, 0},
	{"mseal", 462, 0},
	{"setxattrat", 463, 0},
	{"getxattrat", 464, 0},
	{"listxattrat", 465, 0},
	{"removexattrat", 466, 0},
	{"open_tree_attr", 467, 0},
	{"file_getattr", 468, 0},
	{"file_setattr", 469, 0},
};
