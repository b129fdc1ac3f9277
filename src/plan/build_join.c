/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec: a process more in a container that runs.  Its rights, filters and limits are copied from the plan that the
 * container was started with, so that nothing is parsed again and nothing can come out weaker.
 */
#include "plan/compile.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>

struct join {
	struct build b;
	const struct plan_join *ask;
	const struct plan *of; /* the container's plan */
};

static const struct step *step_of(const struct plan *p, enum step_kind kind)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind)
			return &p->steps[i];
	return NULL;
}

/* Which namespaces the container has beside the caller's. */
static uint64_t flags_of(const struct plan *p)
{
	uint64_t flags = p->clone_flags;

	for (uint32_t i = 0; i < p->n_steps; i++) {
		if (p->steps[i].kind == DO_JOIN_NS)
			flags |= p->steps[i].ns.flags;
		if (p->steps[i].kind == DO_CGROUP_NS)
			flags |= CLONE_NEWCGROUP;
		if (p->steps[i].kind == DO_TIME)
			flags |= ns_flags[NS_TIME];
	}
	return flags;
}

static void enter_group(struct join *j, const char *dir, bool born_in)
{
	struct step *s;
	int slot;

	if (!born_in && dir[0] == '/') {
		build_cgroup_door(&j->b, STAGE_JOIN, dir, SLOT_NONE);
		return;
	}
	slot = plan_add_slot(j->b.out);
	s = build_step(&j->b, STAGE_PREPARE, DO_CGROUP_OPEN, dir);
	s->slot = (int16_t)slot;
	s->cgroup.dir = s->object;
	s->cgroup.door_slot = SLOT_NONE;
	if (born_in)
		plan_builder_header(j->b.out)->cgroup_slot = slot;
	else
		build_cgroup_door(&j->b, STAGE_JOIN, dir, slot);
}

static void enter_groups(struct join *j)
{
	const char *const *instead = j->ask->cgroups;

	for (uint32_t i = 0; i < j->of->n_steps; i++) {
		const struct step *s = &j->of->steps[i];

		if (s->kind != DO_CGROUP_DIR || s->flags & CGROUP_DELEGATE)
			continue;
		enter_group(j, instead && *instead ? *instead : plan_str(j->of, s->cgroup.dir),
			s->slot != SLOT_NONE && s->slot == j->of->cgroup_slot);
		instead += instead && *instead;
	}
	/* Groups that an update has added since. */
	for (; instead && *instead; instead++)
		enter_group(j, *instead, false);
}

static void enter_file(struct join *j, enum ns_kind kind)
{
	const char *path = j->ask->ns_files[kind];
	int slot;
	struct step *s;

	if (!path)
		return;
	slot = plan_add_slot(j->b.out);
	build_step(&j->b, STAGE_PREPARE, DO_OPEN_NS, path)->slot = (int16_t)slot;
	s = build_step(&j->b, STAGE_JOIN, DO_JOIN_NS, ns_names[kind]);
	s->slot = (int16_t)slot;
	s->ns.flags = ns_flags[kind];
}

/* The mount namespace last: it changes what paths mean. */
static void enter_files(struct join *j)
{
	if (!j->ask->user_last)
		enter_file(j, NS_USER);
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (kind != NS_USER && kind != NS_MNT)
			enter_file(j, (enum ns_kind)kind);
	enter_file(j, NS_MNT);
	if (j->ask->user_last)
		enter_file(j, NS_USER);
	/* A cgroup namespace that was made once its groups were joined: from the same groups comes the same view. */
	if (step_of(j->of, DO_CGROUP_NS))
		build_step(&j->b, STAGE_BUILD, DO_CGROUP_NS, NULL);
	if (j->ask->ns_files[NS_USER] && step_of(j->of, DO_BECOME_ROOT))
		build_step(&j->b, STAGE_BUILD, DO_BECOME_ROOT, NULL);
}

static void enter_namespaces(struct join *j)
{
	uint64_t flags = flags_of(j->of);
	struct step *s;
	int slot;

	if (j->ask->ns_files) {
		enter_files(j);
		return;
	}
	slot = plan_add_slot(j->b.out);
	s = build_step(&j->b, STAGE_PREPARE, DO_OPEN_PID, arena_printf(j->b.arena, "%d", (int)j->ask->pid));
	s->slot = (int16_t)slot;
	s->process.pid = j->ask->pid;
	s->process.start = j->ask->pid_start;
	if (!flags)
		return;
	s = build_step(&j->b, STAGE_JOIN, DO_JOIN_NS, "the container's");
	s->slot = (int16_t)slot;
	s->ns.flags = flags;
	if (flags & CLONE_NEWUSER)
		build_step(&j->b, STAGE_BUILD, DO_BECOME_ROOT, NULL);
}

static struct refs copy_strs(struct join *j, struct refs from)
{
	const char **list = arena_new_n(j->b.arena, const char *, from.n + 1);
	const char *at = plan_at(j->of, from.at);

	for (uint32_t i = 0; i < from.n; i++, at = plan_next(at))
		list[i] = at;
	return plan_add_strs(j->b.out, list);
}

/* A step of the container's plan, with what it refers to. */
static void copy_step(struct join *j, enum stage stage, const struct step *from)
{
	struct step copy = *from;
	struct ref object = plan_add_str(j->b.out, plan_str(j->of, from->object));

	switch ((enum step_kind)from->kind) {
	case DO_SECCOMP:
		copy.seccomp.filter = plan_add_array(j->b.out, plan_at(j->of, from->seccomp.filter.at), from->seccomp.filter.n,
			sizeof(struct sock_filter));
		copy.seccomp.listener = copy.seccomp.metadata = (struct ref){0};
		copy.seccomp.flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_NEW_LISTENER;
		break;
	case DO_MEMPOLICY:
		copy.policy.nodes =
			plan_add_array(j->b.out, plan_at(j->of, from->policy.nodes.at), from->policy.nodes.n, sizeof(unsigned long));
		break;
	case DO_RDT:
		copy.pair.key = object;
		copy.pair.value = (struct ref){0};
		copy.flags = RDT_JOIN;
		break;
	case DO_LANDLOCK:
		copy.landlock.rules = copy_strs(j, from->landlock.rules);
		break;
	case DO_KEYRING:
		copy.flags = KEYRING_SHARED;
		copy.pair.key = from->pair.key.at ? object : from->pair.key;
		copy.pair.value = plan_add_str(j->b.out, plan_str(j->of, from->pair.value));
		break;
	case DO_LSM:
		copy.lsm.apparmor = plan_add_str(j->b.out, plan_str(j->of, from->lsm.apparmor));
		copy.lsm.selinux = plan_add_str(j->b.out, plan_str(j->of, from->lsm.selinux));
		break;
	default:
		break;
	}
	copy.object = object;
	copy.stage = (uint16_t)stage;
	*plan_add_step(j->b.out, stage, (enum step_kind)from->kind, object) = copy;
}

static void copy_all(struct join *j, enum stage stage, enum step_kind kind)
{
	for (uint32_t i = 0; i < j->of->n_steps; i++)
		if (j->of->steps[i].kind == kind)
			copy_step(j, stage, &j->of->steps[i]);
}

/* A limit of processes is set on the child once it is there: it may be the one too many. */
static bool counts_processes(const struct step *s)
{
	return s->kind == DO_RLIMIT && s->rlimit.resource == RLIMIT_NPROC;
}

/* The same for the steps of one stage, in stage TO. */
static void copy_stage(struct join *j, enum stage from, enum step_kind kind, enum stage to)
{
	for (uint32_t i = 0; i < j->of->n_steps; i++)
		if (j->of->steps[i].kind == kind && j->of->steps[i].stage == from)
			copy_step(j, counts_processes(&j->of->steps[i]) ? from : to, &j->of->steps[i]);
}

static const char *const *list_of(struct join *j, struct refs from)
{
	const char **list = arena_new_n(j->b.arena, const char *, from.n + 1);
	const char *at = plan_at(j->of, from.at);

	for (uint32_t i = 0; i < from.n; i++, at = plan_next(at))
		list[i] = at;
	return list;
}

/* What the command line leaves open is the container's: user, directory, environment. */
static void inherit(struct join *j, struct spec_process *p)
{
	const struct step *user = step_of(j->of, DO_USER), *cwd = step_of(j->of, DO_CWD), *exec = step_of(j->of, DO_EXEC);
	const char **env = NULL;
	size_t n = 0;

	if (exec)
		for (const char *const *v = list_of(j, exec->exec.env); *v; v++)
			*arena_push(j->b.arena, &env, &n) = *v;
	for (const char *const *v = p->env; v && *v; v++)
		*arena_push(j->b.arena, &env, &n) = *v;
	(void)arena_push(j->b.arena, &env, &n);
	p->env = env;
	if (!p->cwd && cwd)
		p->cwd = plan_str(j->of, cwd->pair.key);
	if (user && !p->user.name && !j->ask->has_user) {
		p->user.name = user->user.name.at ? plan_str(j->of, user->user.name) : NULL;
		p->user.uid = user->user.uid;
		p->user.gid = user->user.gid;
		p->user.n_groups = user->user.groups.n;
		p->user.groups = arena_memdup(j->b.arena, plan_at(j->of, user->user.groups.at), user->user.groups.n * sizeof(uint32_t));
		p->user.group_names = list_of(j, user->user.group_names);
	}
}

static int join_all(struct join *j, struct nook_error *e)
{
	const struct step *ids = step_of(j->of, DO_SET_IDS);
	bool guarded = step_of(j->of, DO_NO_NEW_PRIVS) != NULL;
	struct step *s;

	/* Before it joins: from then on its owner has no rights over its files in /proc. */
	copy_all(j, STAGE_JOIN, DO_OOM_SCORE);
	copy_stage(j, STAGE_ADOPT, DO_RLIMIT, STAGE_JOIN);
	enter_groups(j);
	enter_namespaces(j);
	copy_all(j, STAGE_ADOPT, DO_RDT);
	if (j->ask->process->terminal) {
		s = build_step(&j->b, STAGE_BUILD, DO_CONSOLE, "/dev/pts");
		s->console.rows = j->ask->process->rows;
		s->console.columns = j->ask->process->columns;
	}
	if (step_of(j->of, DO_KEYRING))
		copy_all(j, STAGE_BUILD, DO_KEYRING);
	TRY(build_identity(&j->b, e));
	copy_all(j, STAGE_FINAL, DO_MEMPOLICY);
	copy_all(j, STAGE_FINAL, DO_PERSONALITY);
	copy_all(j, STAGE_FINAL, DO_LSM);
	if (!guarded && step_of(j->of, DO_SECCOMP)) {
		build_fds_mark(&j->b);
		copy_all(j, STAGE_FINAL, DO_SECCOMP);
	}
	for (uint32_t i = 0; i < j->of->n_steps; i++)
		if (j->of->steps[i].kind == DO_CAPS && j->of->steps[i].flags & CAPS_BOUNDING_ONLY)
			copy_step(j, STAGE_FINAL, &j->of->steps[i]);
	build_ids(&j->b, ids && ids->user.deny_groups);
	for (uint32_t i = 0; i < j->of->n_steps; i++)
		if (j->of->steps[i].kind == DO_CAPS && !(j->of->steps[i].flags & (CAPS_BOUNDING_ONLY | CAPS_WAITING)))
			copy_step(j, STAGE_FINAL, &j->of->steps[i]);
	if (j->ask->process->die_with_parent)
		build_step(&j->b, STAGE_FINAL, DO_PARENT_DEATH, NULL);
	copy_all(j, STAGE_FINAL, DO_UMASK);
	copy_all(j, STAGE_FINAL, DO_NO_NEW_PRIVS);
	copy_all(j, STAGE_FINAL, DO_LANDLOCK);
	copy_stage(j, STAGE_FINAL, DO_RLIMIT, STAGE_FINAL);
	build_fds(&j->b);
	if (guarded)
		copy_all(j, STAGE_FINAL, DO_SECCOMP);
	build_exec(&j->b);
	return 0;
}

static void keep_landlock(struct join *j, struct spec_landlock *to)
{
	const struct step *s = step_of(j->of, DO_LANDLOCK);

	if (!s)
		return;
	for (const char *const *rule = list_of(j, s->landlock.rules); *rule; rule++)
		*arena_push(j->b.arena, &to->rules, &to->n_rules) = (struct spec_landlock_rule){*rule + 1, **rule == 'w'};
}

/* What a process cannot say about itself is the container's: filters and the execution domain. */
static void keep_filters(struct join *j, struct spec *to)
{
	const struct step *seccomp = step_of(j->of, DO_SECCOMP), *personality = step_of(j->of, DO_PERSONALITY);

	if (seccomp)
		to->seccomp = (struct spec_seccomp){
			.source = SECCOMP_FILTER,
			.filter = plan_at(j->of, seccomp->seccomp.filter.at),
			.n_filter = seccomp->seccomp.filter.n,
			.flags = seccomp->seccomp.flags & ~(uint32_t)SECCOMP_FILTER_FLAG_NEW_LISTENER,
			.listener_path = seccomp->seccomp.listener.at ? plan_str(j->of, seccomp->seccomp.listener) : NULL,
			.listener_metadata = seccomp->seccomp.metadata.at ? plan_str(j->of, seccomp->seccomp.metadata) : NULL,
		};
	if (personality)
		to->personality = (struct opt_u64){(uint64_t)personality->value.number, true};
	keep_landlock(j, &to->landlock);
}

static int join_whole(struct join *j, struct spec *spec, struct nook_error *e)
{
	const struct step *ids = step_of(j->of, DO_SET_IDS);
	const struct plan_request request = {.spec = spec, .deny_setgroups = ids && ids->user.deny_groups};
	struct step *s;

	j->b.request = &request;
	keep_filters(j, spec);
	TRY(build_limits(&j->b, e));
	copy_all(j, STAGE_ADOPT, DO_RDT);
	copy_all(j, STAGE_FINAL, DO_MEMPOLICY);
	enter_groups(j);
	enter_namespaces(j);
	if (spec->process.terminal) {
		s = build_step(&j->b, STAGE_BUILD, DO_CONSOLE, "/dev/pts");
		s->console.rows = spec->process.rows;
		s->console.columns = spec->process.columns;
	}
	copy_all(j, STAGE_BUILD, DO_KEYRING);
	return build_final(&j->b, e);
}

int plan_build_join(struct arena *a, const struct plan_join *ask, struct plan **ret, struct nook_error *e)
{
	AUTO(plan_builder_free) struct plan_builder *out = plan_builder_new();
	struct plan_host host = {0};
	struct plan_result result = {0};
	struct spec spec = {.arena = a, .process = *ask->process};
	struct join j = {
		.b = {.arena = a, .out = out, .spec = &spec, .host = &host, .result = &result, .joins = true, .identity = STAGE_FINAL},
		.ask = ask,
		.of = ask->of,
	};

	if (ask->whole) {
		TRY(join_whole(&j, &spec, e));
	} else {
		inherit(&j, &spec.process);
		TRY(join_all(&j, e));
	}
	plan_builder_header(out)->terminal = ask->process->terminal;
	*ret = plan_builder_seal(out);
	return 0;
}
