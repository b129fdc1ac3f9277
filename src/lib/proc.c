/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libnook: running boxes. */
#include "box/shim.h"

int nook_box_spawn(const struct nook_box *box, const char *const argv[], struct nook_proc **ret, struct nook_error *e)
{
	return box_spawn(box, argv, ret, e);
}

int nook_proc_exec(struct nook_proc *p, const char *const argv[], struct nook_proc **ret, struct nook_error *e)
{
	return box_proc_exec(p, argv, ret, e);
}

int nook_proc_wait(struct nook_proc *p, int timeout_ms, struct nook_result *ret, struct nook_error *e)
{
	return box_proc_wait(p, timeout_ms, ret, e);
}

int nook_proc_kill(struct nook_proc *p, int sig, struct nook_error *e)
{
	return box_proc_kill(p, sig, e);
}

int nook_proc_pidfd(const struct nook_proc *p)
{
	return p->pidfd;
}

pid_t nook_proc_pid(const struct nook_proc *p)
{
	return p->pid;
}

int nook_proc_stats(struct nook_proc *p, struct nook_result *ret, struct nook_error *e)
{
	return box_proc_stats(p, ret, e);
}

void nook_proc_free(struct nook_proc *p)
{
	box_proc_free(p);
}

int nook_run(const char *rules, const char *const argv[], struct nook_result *ret, struct nook_error *e)
{
	AUTO(box_free) struct nook_box *box = box_new();
	AUTO(box_proc_free) struct nook_proc *p = NULL;

	if (rules)
		TRY(box_add_text(box, rules, e));
	TRY(box_spawn(box, argv, &p, e));
	return box_proc_wait(p, -1, ret, e);
}
