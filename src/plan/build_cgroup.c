/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include <string.h>
#include <sys/resource.h>

static bool has_limit_of_pids(const struct cgroup_want *want)
{
	for (size_t i = 0; i < want->n_writes; i++)
		if (!strcmp(want->writes[i].file, "pids.max"))
			return true;
	return false;
}

/* Without a pids group the kernel's limit of processes per user counts in a new user namespace alone. */
static bool limit_by_nproc(struct build *b)
{
	const struct opt_i64 *limit = &b->spec->resources.pids_limit;
	struct step *s;

	if (!limit->set || limit->value <= 0 || !b->new_userns)
		return false;
	s = build_step(b, STAGE_ADOPT, DO_RLIMIT, "nproc");
	s->rlimit.resource = RLIMIT_NPROC;
	s->rlimit.soft = s->rlimit.hard = (uint64_t)limit->value;
	s->rlimit.clamp = true;
	return true;
}

void build_cgroup_door(struct build *b, enum stage join, const char *path, int slot)
{
	struct step *s = build_step(b, STAGE_PREPARE, DO_CGROUP_DOOR, path);
	int door = plan_add_slot(b->out);

	s->slot = (int16_t)slot;
	s->cgroup.door_slot = (int16_t)door;
	if (slot == SLOT_NONE)
		s->cgroup.file = plan_add_str(b->out, arena_printf(b->arena, "%s/tasks", path));
	build_step(b, join, DO_CGROUP_JOIN, path)->slot = (int16_t)door;
}

/* A group is held only where later steps work in it; what is alone there (a door, one limit) is opened by name. */
static bool is_held(const struct cgroup_want *want, size_t dir)
{
	size_t writes = 0;

	if ((int)dir == want->into || want->dirs[dir].path[0] != '/')
		return true;
	for (size_t i = 0; i < want->n_writes; i++)
		if (want->writes[i].dir == (int)dir)
			writes += strchr(want->writes[i].file, '|') ? 2 : 1;
	if (writes > 1)
		return true;
	for (size_t i = 0; i < want->n_bpf; i++)
		if (want->bpf[i].dir == (int)dir)
			return true;
	return false;
}

static void build_cgroup_ns(struct build *b)
{
	if (b->spec->ns[NS_CGROUP].mode != NS_PRIVATE)
		return;
	/* Only who has groups must be in them before the namespace is made. */
	if (!b->request->cgroups)
		plan_builder_header(b->out)->clone_flags |= ns_flags[NS_CGROUP];
	else
		build_step(b, STAGE_EARLY, DO_CGROUP_NS, NULL);
}

/* The container's cgroup namespace begins above the group in which its first process is, so that it may make others. */
static void build_delegate(struct build *b, const struct cgroup_dir *above)
{
	const char *path = arena_printf(b->arena, "%s/%s", above->path, b->spec->cgroup_delegate);
	struct step *s = build_step(b, STAGE_PREPARE, DO_CGROUP_DIR, path);
	int door = plan_add_slot(b->out);

	s->flags = CGROUP_GIVEN | CGROUP_DELEGATE;
	s->cgroup.dir = s->object;
	s->cgroup.mount = plan_add_str(b->out, above->path);
	s = build_step(b, STAGE_PREPARE, DO_CGROUP_DOOR, path);
	s->cgroup.door_slot = (int16_t)door;
	s->cgroup.file = plan_add_str(b->out, arena_printf(b->arena, "%s/cgroup.procs", path));
	build_step(b, STAGE_EARLY, DO_CGROUP_JOIN, path)->slot = (int16_t)door;
}

int build_cgroup(struct build *b, struct nook_error *e)
{
	const struct cgroup_want *want = b->request->cgroups;
	int slots[CGROUP_HIERARCHIES_MAX];

	if (!want) {
		(void)limit_by_nproc(b);
		build_cgroup_ns(b);
		return 0;
	}
	for (size_t i = 0; i < want->n_dirs; i++) {
		const struct cgroup_dir *d = &want->dirs[i];
		struct step *s = build_step(b, STAGE_PREPARE, DO_CGROUP_DIR, d->path);

		slots[i] = is_held(want, i) ? plan_add_slot(b->out) : SLOT_NONE;
		s->slot = (int16_t)slots[i];
		s->flags = d->given ? CGROUP_GIVEN : 0;
		s->cgroup.dir = s->object;
		s->cgroup.mount = plan_add_str(b->out, d->mount);
		s->cgroup.prepare = plan_add_str(b->out, d->prepare);
	}
	for (size_t i = 0; i < want->n_writes; i++) {
		const struct cgroup_write *w = &want->writes[i];
		struct step *s = build_step(b, STAGE_PREPARE, DO_CGROUP_WRITE, want->dirs[w->dir].path);

		s->slot = (int16_t)slots[w->dir];
		s->flags = w->optional ? PATH_OPTIONAL : 0;
		if (slots[w->dir] == SLOT_NONE)
			s->cgroup.dir = s->object;
		s->cgroup.file = plan_add_str(b->out, w->file);
		s->cgroup.value = plan_add_str(b->out, w->value);
	}
	for (size_t i = 0; i < want->n_bpf; i++) {
		const struct cgroup_bpf *f = &want->bpf[i];
		struct refs insns = plan_add_array(b->out, f->insns, f->n_insns, 8);
		struct step *s = build_step(b, STAGE_PREPARE, DO_CGROUP_BPF, f->what);

		s->slot = (int16_t)slots[f->dir];
		s->cgroup.prog_type = f->prog_type;
		s->cgroup.attach_type = f->attach_type;
		s->cgroup.insns = insns;
	}
	for (size_t i = 0; i < want->n_dirs; i++) {
		if ((int)i == want->into)
			plan_builder_header(b->out)->cgroup_slot = slots[i];
		else
			build_cgroup_door(b, STAGE_EARLY, want->dirs[i].path, slots[i]);
	}
	build_cgroup_ns(b);
	if (b->spec->cgroup_delegate && want->into >= 0)
		build_delegate(b, &want->dirs[want->into]);
	b->cgroup_view = want->n_dirs > 0;
	/* The only default that a machine can lack is the number of processes, and then the rlimit holds it. */
	if (has_limit_of_pids(want) || !limit_by_nproc(b))
		for (size_t i = 0; i < want->n_notes; i++)
			build_note(b, "%s", want->notes[i]);
	(void)e;
	return 0;
}
