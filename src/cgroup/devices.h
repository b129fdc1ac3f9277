/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules.  Later rules win, what no rule names is denied; on v1 as lines for devices.allow and devices.deny, on v2
 * as a BPF program. */
#pragma once

#include "cgroup/cgroup.h"

struct bpf_insn;
struct bpf_list {
	struct bpf_insn *insns;
	size_t n;
};

struct device_line {
	const char *file, *value; /* "devices.allow", "c 1:3 rwm" */
};

/* No rules, or rules that allow all: nothing need be done. */
bool devices_allow_all(const struct spec_device_rule *rules, size_t n);
/* -EOPNOTSUPP when v1 cannot say it: it takes nothing out of a wildcard. */
int devices_v1(struct arena *a, const struct spec_device_rule *rules, size_t n, struct device_line **ret, size_t *ret_n,
               struct nook_error *e);
/* Those LINES of devices_v1() that lead from NOW, a group's devices.list, to what they say; all of them when one of the two
 * allows what it does not name. */
void devices_v1_change(struct arena *a, const char *now, struct device_line **lines, size_t *n);
int devices_program(struct arena *a, const struct spec_device_rule *rules, size_t n, struct bpf_list *ret, struct nook_error *e);
