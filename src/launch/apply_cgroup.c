/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's groups and limits: made by the parent before anything runs under them, joined by the child itself. */
#include "launch/walk.h"

#include "cgroup/cgroup.h"
#include "sys/resctrl.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

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

/* Is step AT a write to the same file as S?  (Lists of devices are written line by line.) */
static bool is_same_file(const struct walk *w, const struct step *s, uint32_t at)
{
	const struct step *other = at < w->plan->n_steps ? &w->plan->steps[at] : NULL;

	return other && other->kind == DO_CGROUP_WRITE && other->slot != SLOT_NONE && other->slot == s->slot &&
	       !(other->flags & PATH_OPTIONAL) && !(s->flags & PATH_OPTIONAL) && !strchr(walk_str(w, s->cgroup.file), '|') &&
	       !strcmp(walk_str(w, other->cgroup.file), walk_str(w, s->cgroup.file));
}

/* One of several values for one file, which stays open between them. */
static int limit_in_row(struct walk *w, const struct step *s, const char *file, const char *value, struct nook_error *e)
{
	int r = 0;

	if (w->limit < 0)
		w->limit = openat(walk_slot(w, s->slot), file, O_WRONLY | O_CLOEXEC);
	if (w->limit < 0 || write(w->limit, value, strlen(value)) < 0)
		r = err_sys(e, STEP_LIMIT, file);
	if (r < 0 || !is_same_file(w, s, w->at + 1))
		close_fd(&w->limit);
	return r;
}

int apply_cgroup_write(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *file = walk_str(w, s->cgroup.file), *value = walk_str(w, s->cgroup.value);
	bool optional = s->flags & PATH_OPTIONAL;
	char path[PATH_MAX];
	int r;

	/* 1: a default that this machine lacks; the planner has noted it. */
	if (is_same_file(w, s, w->at - 1) || is_same_file(w, s, w->at + 1))
		return limit_in_row(w, s, file, value, e);
	if (s->slot != SLOT_NONE) {
		TRY(cgroup_limit(walk_slot(w, s->slot), file, value, optional, e));
		return 0;
	}
	if (snprintf(path, sizeof(path), "%s/%s", walk_str(w, s->cgroup.dir), file) >= (int)sizeof(path))
		return err_num(e, STEP_LIMIT, file, ENAMETOOLONG);
	r = cgroup_limit(AT_FDCWD, path, value, optional, NULL);
	return r < 0 ? err_num(e, STEP_LIMIT, file, r) : 0;
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
