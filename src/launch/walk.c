/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const apply_fn apply_table[DO_COUNT] = {
	[DO_GATE] = apply_gate,
	[DO_OPEN_TREE] = apply_open_tree,
	[DO_DISK] = apply_disk,
	[DO_DEV_TREE] = apply_dev_tree,
	[DO_KEEP] = apply_keep,
	[DO_CGROUP_DIR] = apply_cgroup_dir,
	[DO_CGROUP_OPEN] = apply_cgroup_open,
	[DO_CGROUP_DOOR] = apply_cgroup_door,
	[DO_CGROUP_WRITE] = apply_cgroup_write,
	[DO_CGROUP_BPF] = apply_cgroup_bpf,
	[DO_OPEN_PID] = apply_open_pid,
	[DO_HOLD] = apply_hold,
	[DO_WAIT] = apply_wait,
	[DO_LOCK] = apply_lock,
	[DO_OPEN_NS] = apply_open_ns,
	[DO_JOIN_NS] = apply_join_ns,
	[DO_UNSHARE] = apply_unshare,
	[DO_OWN_MAP] = apply_own_map,
	[DO_SESSION] = apply_session,
	[DO_KEYRING] = apply_keyring,
	[DO_PARENT_DEATH] = apply_parent_death,
	[DO_PROPAGATION] = apply_propagation,
	[DO_HOSTNAME] = apply_hostname,
	[DO_DOMAINNAME] = apply_domainname,
	[DO_LOOPBACK] = apply_loopback,
	[DO_NET_DEVICE] = apply_net_device,
	[DO_LISTEN] = apply_listen,
	[DO_TIME] = apply_time,
	[DO_IDMAP] = apply_idmap,
	[DO_IDMAP_MOUNT] = apply_idmap_mount,
	[DO_CGROUP_JOIN] = apply_cgroup_join,
	[DO_OOM_SCORE] = apply_oom_score,
	[DO_RLIMIT] = apply_rlimit,
	[DO_HOOK] = apply_hook,
	[DO_HOOK_LOG] = apply_hook_log,
	[DO_HOOK_INSIDE] = apply_hook_inside,
	[DO_BECOME_ROOT] = apply_become_root,
	[DO_CGROUP_NS] = apply_cgroup_ns,
	[DO_ROOT_ATTACH] = apply_root_attach,
	[DO_ROOT_OVERLAY] = apply_root_overlay,
	[DO_ROOT_TMPFS] = apply_root_tmpfs,
	[DO_OVERLAY] = apply_overlay,
	[DO_MOUNT] = apply_mount,
	[DO_BIND] = apply_bind,
	[DO_SHOW] = apply_show,
	[DO_COPY_LINK] = apply_copy_link,
	[DO_SYMLINK] = apply_symlink,
	[DO_PUT] = apply_put,
	[DO_MAKE] = apply_make,
	[DO_DEVICE] = apply_device,
	[DO_CONSOLE] = apply_console,
	[DO_MASK] = apply_mask,
	[DO_READONLY] = apply_readonly,
	[DO_PIVOT] = apply_pivot,
	[DO_ROOT_READONLY] = apply_root_readonly,
	[DO_ROOT_PROPAGATION] = apply_root_propagation,
	[DO_RDT] = apply_rdt,
	[DO_SYSCTL] = apply_sysctl,
	[DO_LOOKUP] = apply_lookup,
	[DO_USER] = apply_user,
	[DO_SCHED] = apply_sched,
	[DO_AFFINITY] = apply_affinity,
	[DO_PERSONALITY] = apply_personality,
	[DO_MEMPOLICY] = apply_mempolicy,
	[DO_CORE_SCHED] = apply_core_sched,
	[DO_CWD] = apply_cwd,
	[DO_SET_IDS] = apply_set_ids,
	[DO_CAPS] = apply_caps,
	[DO_NO_NEW_PRIVS] = apply_no_new_privs,
	[DO_LSM] = apply_lsm,
	[DO_LANDLOCK] = apply_landlock,
	[DO_UMASK] = apply_umask,
	[DO_FDS] = apply_fds,
	[DO_SECCOMP] = apply_seccomp,
	[DO_EXEC] = apply_exec,
};

void walk_init(struct walk *w, const struct plan *p)
{
	*w = (struct walk){
		.plan = p,
		.child_proc = -EBADF,
		.child_userns = -EBADF,
		.joined = -EBADF,
		.mask = (mode_t)-1,
		.limit = -EBADF,
		.wire = -EBADF,
		.parents_wire = -EBADF,
		.root = -EBADF,
		.proc = -EBADF,
		.sys = -EBADF,
		.pts = -EBADF,
		.here = -EBADF,
		.host_null = -EBADF,
		.mask_dir = -EBADF,
		.terminal = -EBADF,
		.scratch = -EBADF,
	};
	for (int i = 0; i < PLAN_SLOTS; i++)
		w->slots[i] = -EBADF;
}

/* Descriptors that stand side by side, as a start mostly opens them, go in one call; what lies between two of them belongs
 * to somebody else. */
struct closing {
	int fds[PLAN_SLOTS + 5];
	int n;
};

static void add(struct closing *c, int *fd)
{
	int at = c->n;

	if (*fd < 0)
		return;
	for (; at > 0 && c->fds[at - 1] > *fd; at--)
		c->fds[at] = c->fds[at - 1];
	c->fds[at] = *fd;
	c->n++;
	*fd = -EBADF;
}

void walk_done(struct walk *w, int *wire)
{
	struct closing c = {.n = 0};

	for (int i = 0; i < PLAN_SLOTS; i++)
		add(&c, &w->slots[i]);
	add(&c, &w->child_proc);
	add(&c, &w->child_userns);
	add(&c, &w->limit);
	add(&c, &w->joined);
	if (wire)
		add(&c, wire);
	for (int i = 0, end; i < c.n; i = end) {
		for (end = i + 1; end < c.n && c.fds[end] == c.fds[end - 1] + 1; end++)
			;
		(void)close_range((unsigned)c.fds[i], (unsigned)c.fds[end - 1], 0);
	}
}

void walk_vector(const struct plan *p, struct refs r, char **to)
{
	const char *at = plan_at(p, r.at);

	for (uint32_t i = 0; i < r.n; i++, at = plan_next(at))
		to[i] = (char *)(uintptr_t)at;
	to[r.n] = NULL;
}

int walk_one(struct walk *w, const struct step *s, struct nook_error *e)
{
	return apply_table[s->kind](w, s, e);
}

int walk_child_proc(struct walk *w, struct nook_error *e)
{
	char path[32];

	if (w->child_proc >= 0)
		return w->child_proc;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)w->child);
	w->child_proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->child_proc < 0 ? err_sys(e, STEP_PROC, path) : w->child_proc;
}

int walk_chdir(struct walk *w, int fd)
{
	if (w->here == fd)
		return 0;
	if (fchdir(fd) < 0)
		return -errno;
	w->here = fd;
	return 0;
}

int walk_stage(struct walk *w, enum stage stage, struct nook_error *e)
{
	const struct plan *p = w->plan;

	while (w->at < p->n_steps && p->steps[w->at].stage < stage)
		w->at++;
	for (; w->at < p->n_steps && p->steps[w->at].stage == stage; w->at++) {
		const struct step *s = &p->steps[w->at];
		int r = w->at + 1 == p->fail_at ? err_why(e, step_kinds[s->kind].error, plan_str(p, s->object), ECANCELED,
							  "failed on purpose")
						: apply_table[s->kind](w, s, e);

		if (r < 0) {
			if (e)
				e->rule = (int)w->at + 1;
			return r;
		}
	}
	return 0;
}
