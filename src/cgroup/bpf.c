/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/bpf.h"
#include "cgroup/cgroup.h"

#include <string.h>
#include <sys/syscall.h>

/* Tells nook's programs from those of a service manager in the same group. */
static const char program_name[] = "nook";

static int bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int load(uint32_t prog_type, uint32_t attach_type, const void *insns, size_t n_insns)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = prog_type;
	attr.expected_attach_type = attach_type;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n_insns;
	attr.license = (uintptr_t) "LGPL";
	memcpy(attr.prog_name, program_name, sizeof(program_name));
	return bpf(BPF_PROG_LOAD, &attr);
}

static bool is_ours(int prog)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)prog;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && !strncmp(info.name, program_name, sizeof(info.name));
}

/* The program of this type that nook attached to the group: a descriptor, or -ENOENT. */
static int find_ours(int dir, uint32_t attach_type)
{
	uint32_t ids[64];
	union bpf_attr attr;
	uint32_t n;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = attach_type;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = sizeof(ids) / sizeof(*ids);
	r = bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	n = attr.query.prog_cnt;
	for (uint32_t i = 0; i < n; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.prog_id = ids[i];
		auto_close int prog = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

		if (prog >= 0 && is_ours(prog))
			return take_fd(&prog);
	}
	return -ENOENT;
}

int cgroup_bpf_attach(int dir, uint32_t prog_type, uint32_t attach_type, const void *insns, size_t n_insns,
                      enum cgroup_bpf_mode mode, struct nook_error *e)
{
	auto_close int prog = load(prog_type, attach_type, insns, n_insns);
	auto_close int old = -EBADF;
	union bpf_attr attr;
	int r;

	if (prog < 0) {
		(void)err_num(e, STEP_DEVICES, "bpf", prog);
		err_detail(e, "the kernel does not load the program");
		return prog;
	}
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = attach_type;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (mode == CGROUP_BPF_REPLACE) {
		old = find_ours(dir, attach_type);
		if (old < 0 && old != -ENOENT)
			return err_num(e, STEP_DEVICES, "bpf", old);
		if (old >= 0) {
			attr.attach_flags |= BPF_F_REPLACE;
			attr.replace_bpf_fd = (uint32_t)old;
		}
	}
	r = bpf(BPF_PROG_ATTACH, &attr);
	return r < 0 ? err_num(e, STEP_DEVICES, "bpf", r) : 0;
}
