/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's groups and limits: made by the parent before anything runs under them, joined by the child itself. */
#include "launch/walk.h"

#include "cgroup/cgroup.h"
#include "sys/resctrl.h"

#include <fcntl.h>
#include <sched.h>

int apply_cgroup_dir(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *dir = walk_str(w, s->cgroup.dir), *mount = walk_str(w, s->cgroup.mount);
	const char *prepare = walk_str(w, s->cgroup.prepare);

	if (s->flags & CGROUP_GIVEN) {
		auto_close int fd = TRY(cgroup_dir_ensure(dir, mount, prepare, e));

		if (s->slot != SLOT_NONE)
			w->slots[s->slot] = take_fd(&fd);
		return 0;
	}
	if (s->slot == SLOT_NONE)
		return cgroup_dir_add(dir, mount, prepare, e);
	w->slots[s->slot] = TRY(cgroup_dir_make(dir, mount, prepare, e));
	return 0;
}

int apply_cgroup_open(struct walk *w, const struct step *s, struct nook_error *e)
{
	w->slots[s->slot] = TRY(cgroup_dir_open(walk_str(w, s->cgroup.dir), e));
	return 0;
}

int apply_cgroup_write(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* 1: a default that this machine lacks; the planner has noted it. */
	TRY(cgroup_limit(walk_slot(w, s->slot), walk_str(w, s->cgroup.file), walk_str(w, s->cgroup.value),
		s->flags & PATH_OPTIONAL, e));
	return 0;
}

int apply_cgroup_bpf(struct walk *w, const struct step *s, struct nook_error *e)
{
	return cgroup_bpf_attach(walk_slot(w, s->slot), s->cgroup.prog_type, s->cgroup.attach_type,
		plan_at(w->plan, s->cgroup.insns.at), s->cgroup.insns.n, CGROUP_BPF_ADD, e);
}

int apply_cgroup_door(struct walk *w, const struct step *s, struct nook_error *e)
{
	bool by_name = s->slot == SLOT_NONE;

	w->slots[s->cgroup.door_slot] =
		TRY(cgroup_join_open(by_name ? AT_FDCWD : walk_slot(w, s->slot), by_name ? walk_str(w, s->cgroup.file) : "tasks", e));
	return 0;
}

int apply_cgroup_join(struct walk *w, const struct step *s, struct nook_error *e)
{
	return cgroup_join(walk_slot(w, s->slot), e);
}

int apply_cgroup_ns(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* Not with clone3: the top of the new namespace is the group that its first process is in now. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, STEP_NAMESPACE, "cgroup");
	return 0;
}

int apply_rdt(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *group = walk_str(w, s->pair.key);
	auto_close int root = TRY(resctrl_open(e));

	if (s->flags & RDT_MONITOR)
		TRY(resctrl_monitor(root, group, e));
	else if (!(s->flags & RDT_JOIN))
		TRY(resctrl_class(root, group, walk_str(w, s->pair.value),
			s->flags & RDT_OWN ? RESCTRL_OWN : s->flags & RDT_MAKE ? RESCTRL_MAKE : RESCTRL_MUST_EXIST, e));
	return resctrl_join(root, group, w->child, e);
}
