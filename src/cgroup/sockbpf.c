/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/sockbpf.h"
#include "cgroup/bpf.h"

#include <stddef.h>

static void add_store(struct arena *a, struct bpf_list *p, size_t offset, uint32_t value)
{
	*arena_push(a, &p->insns, &p->n) = BPF_MOVE_IMM(BPF_REG_2, (int32_t)value);
	*arena_push(a, &p->insns, &p->n) = BPF_STORE_WORD(BPF_REG_1, (int16_t)offset, BPF_REG_2);
}

int sockbpf_program(struct arena *a, const struct opt_u64 *classid, const struct spec_ifprio *prios, size_t n_prios,
                    struct bpf_list *ret, struct nook_error *e)
{
	struct bpf_list p = {0};

	if (classid && classid->value > UINT32_MAX)
		return err_why(e, STEP_LIMIT, "network.classID", ERANGE, "a class id has 32 bits");
	for (size_t i = 1; i < n_prios; i++)
		if (prios[i].priority != prios[0].priority)
			return err_why(e, STEP_LIMIT, "network.priorities", EOPNOTSUPP,
			               "on cgroup v2 all interfaces must have the same priority");
	if (classid)
		add_store(a, &p, offsetof(struct bpf_sock, mark), (uint32_t)classid->value);
	if (n_prios)
		add_store(a, &p, offsetof(struct bpf_sock, priority), prios[0].priority);
	*arena_push(a, &p.insns, &p.n) = BPF_MOVE_IMM(BPF_REG_0, 1);
	*arena_push(a, &p.insns, &p.n) = BPF_EXIT_INSN();
	*ret = p;
	return 0;
}
