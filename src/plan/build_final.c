/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process: limits, identity, rights, filters, exec. */
#include "plan/compile.h"

#include "base/environment.h"
#include "base/text.h"
#include "security/caps.h"
#include "security/seccomp.h"
#include "sys/rlimits.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/resource.h>

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* A default above what this caller can give is lowered here, where it costs nothing to know. */
static struct spec_rlimit possible(const struct build *b, const struct spec_rlimit *limit)
{
	struct spec_rlimit l = *limit;
	uint64_t max = limit->resource == RLIMIT_NOFILE ? b->host->nofile_max : 0;

	if (max && l.clamp && !b->host->may_raise && l.hard > max) {
		l.hard = max;
		l.soft = l.soft > max ? max : l.soft;
	}
	return l;
}

static struct step *build_rlimit(struct build *b, enum stage stage, const struct spec_rlimit *limit)
{
	struct step *s = build_step(b, stage, DO_RLIMIT, rlimit_name(limit->resource));

	s->rlimit.resource = limit->resource;
	s->rlimit.soft = limit->soft;
	s->rlimit.hard = limit->hard;
	s->rlimit.clamp = limit->clamp;
	return s;
}

/* Making a container takes more descriptors than its command may get, so that their limit is only raised early and set last.
 * A process that joins one opens a few, once it has closed what the caller had. */
static bool leaves_room(const struct build *b, const struct spec_rlimit *files)
{
	enum { FILES_TO_JOIN = 64 };

	return b->joins && files->soft >= FILES_TO_JOIN + b->spec->process.preserve_fds && !b->spec->process.n_keep_fds;
}

int build_limits(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	struct step *s;

	(void)e;
	if (p->oom_score_adj.set) {
		s = build_step(b, b->joins ? STAGE_JOIN : STAGE_ADOPT, DO_OOM_SCORE, "oom_score_adj");
		s->value.number = p->oom_score_adj.value;
		s->value.clamp = p->oom_score_adj_clamp;
	}
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit limit = possible(b, &p->rlimits[i]);
		bool is_files = limit.resource == RLIMIT_NOFILE, raise = is_files && !leaves_room(b, &limit);

		if (!raise || !b->host->nofile_max || limit.hard > b->host->nofile_max)
			build_rlimit(b, b->joins && limit.resource != RLIMIT_NPROC ? STAGE_JOIN : STAGE_ADOPT, &limit)->flags = raise ? RLIMIT_RAISE : 0;
		b->files_limited |= is_files && !raise;
	}
	if (p->die_with_parent)
		build_step(b, STAGE_BUILD, DO_PARENT_DEATH, NULL);
	return 0;
}

static int build_sched(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	struct step *s;

	if (p->scheduler.set || p->nice.set || p->ioprio.set) {
		s = build_step(b, b->identity, DO_SCHED, NULL);
		s->sched.has_policy = p->scheduler.set;
		s->sched.policy = p->scheduler.policy;
		s->sched.priority = p->scheduler.priority;
		s->sched.flags = p->scheduler.flags;
		s->sched.runtime = p->scheduler.runtime;
		s->sched.deadline = p->scheduler.deadline;
		s->sched.period = p->scheduler.period;
		s->sched.has_nice = p->nice.set;
		s->sched.nice = p->scheduler.set ? p->scheduler.nice : (int32_t)p->nice.value;
		s->sched.has_ioprio = p->ioprio.set;
		s->sched.ioprio = (int32_t)p->ioprio.value;
	}
	TRY(build_affinity(b, e));
	TRY(build_memory_policy(b, e));
	if (b->spec->personality.set)
		build_step(b, b->identity, DO_PERSONALITY, NULL)->value.number = (int64_t)b->spec->personality.value;
	if (b->spec->new_core_sched)
		build_step(b, b->identity, DO_CORE_SCHED, NULL);
	return 0;
}

void build_fds_mark(struct build *b)
{
	build_step(b, STAGE_FINAL, DO_FDS, NULL)->flags = FDS_MARK;
	b->fds_marked = true;
}

static int build_filter(struct build *b, const struct spec_seccomp *spec, struct nook_error *e)
{
	bool has_listener = spec->listener_path && *spec->listener_path;
	struct sock_filter *filter = NULL;
	size_t n = 0;
	struct refs refs;
	struct step *s;

	TRY(seccomp_compile(b->arena, spec, b->spec->process.caps[CAPS_BOUNDING], &filter, &n, e));
	if (!n)
		return 0;
	if (!b->spec->process.no_new_privs && !b->fds_marked)
		build_fds_mark(b);
	refs = plan_add_array(b->out, filter, n, sizeof(*filter));
	s = build_step(b, STAGE_FINAL, DO_SECCOMP, NULL);
	b->filtered = true;
	s->seccomp.filter = refs;
	s->seccomp.flags = spec->flags;
	/* With one thread there is nothing to synchronise, and the kernel takes one of the two. */
	if (spec->observed)
		s->flags |= SECCOMP_OBSERVED;
	if (has_listener || spec->observed)
		s->seccomp.flags = (spec->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	s->seccomp.listener = plan_add_str(b->out, spec->listener_path);
	s->seccomp.metadata = plan_add_str(b->out, spec->listener_metadata);
	return 0;
}

static int build_seccomp(struct build *b, struct nook_error *e)
{
	for (size_t i = 0; i < b->spec->n_seccomp_more; i++)
		TRY(build_filter(b, &b->spec->seccomp_more[i], e));
	TRY(build_filter(b, &b->spec->seccomp_before, e));
	return build_filter(b, &b->spec->seccomp, e);
}

static void build_user(struct build *b, bool has_home)
{
	const struct spec_user *u = &b->spec->process.user;
	struct refs groups = plan_add_array(b->out, u->groups, u->n_groups, sizeof(uint32_t));
	struct refs names = plan_add_strs(b->out, u->group_names);
	const char *who = u->name ? u->name : arena_printf(b->arena, "%u:%u", u->uid, u->gid);
	struct step *s;

	s = build_step(b, b->identity, DO_USER, who);
	s->user.name = u->name ? s->object : (struct ref){0};
	s->user.uid = u->uid;
	s->user.gid = u->gid;
	s->user.groups = groups;
	s->user.group_names = names;
	s->user.set_home = !has_home && !u->no_home;
}

void build_ids(struct build *b, bool deny_setgroups)
{
	const struct spec_user *u = &b->spec->process.user;
	struct step *s = build_step(b, b->identity, DO_SET_IDS,
		u->name ? u->name : arena_printf(b->arena, "%u:%u", u->uid, u->gid));

	s->user.deny_groups = deny_setgroups;
	s->user.keep_groups = u->keep_groups;
}

static void build_bounding(struct build *b)
{
	const struct spec_process *p = &b->spec->process;
	struct step *s;

	if (!p->has_caps)
		return;
	s = build_step(b, b->identity, DO_CAPS, NULL);
	s->flags = CAPS_BOUNDING_ONLY;
	s->caps.sets[CAPS_BOUNDING] = p->caps[CAPS_BOUNDING];
}

static void build_caps(struct build *b, enum stage stage)
{
	const struct spec_process *p = &b->spec->process;
	struct step *s;

	if (!p->has_caps)
		return;
	s = build_step(b, stage, DO_CAPS, NULL);
	for (int i = 0; i < CAPS_SETS; i++)
		s->caps.sets[i] = p->caps[i];
	/* capabilities(7): only what is permitted and inheritable can be ambient; `runc spec` writes more, which has no effect. */
	s->caps.sets[CAPS_AMBIENT] &= p->caps[CAPS_PERMITTED] & p->caps[CAPS_INHERITABLE];
}

/* Whoever waits at the gate for a filter that is loaded without no_new_privs has what its command may, and the right to
 * load it.  Root without a list keeps all. */
static void build_caps_waiting(struct build *b)
{
	const struct spec_process *p = &b->spec->process;
	struct step *s;

	if (!p->has_caps && !p->user.uid)
		return;
	s = build_step(b, b->identity, DO_CAPS, NULL);
	s->flags = CAPS_WAITING;
	if (p->has_caps)
		for (int i = 0; i < CAPS_SETS; i++)
			s->caps.sets[i] = i == CAPS_AMBIENT ? 0 : p->caps[i];
	s->caps.sets[CAPS_PERMITTED] |= CAPS_BIT(CAP_SYS_ADMIN);
	s->caps.sets[CAPS_EFFECTIVE] |= CAPS_BIT(CAP_SYS_ADMIN);
}

/* ---- exec ---------------------------------------------------------------------------------------------------------- */

/* Where the command may be. */
static struct refs candidates(struct build *b, const char *command)
{
	const char *path = environment_find(b->spec->process.env, "PATH");
	const char **list = NULL;
	size_t n = 0;

	if (!path)
		path = default_path;
	if (strchr(command, '/')) {
		*arena_push(b->arena, &list, &n) = command;
		path = "";
	}
	while (*path) {
		size_t len = strcspn(path, ":");

		*arena_push(b->arena, &list, &n) =
			len ? arena_printf(b->arena, "%.*s/%s", (int)len, path, command) : arena_printf(b->arena, "./%s", command);
		path += len + (path[len] == ':');
	}
	(void)arena_push(b->arena, &list, &n);
	return plan_add_strs(b->out, list);
}

/* Who creates a container wants to hear at once that its command cannot start. */
static void build_lookup(struct build *b)
{
	const char *command = b->spec->process.argv[0];
	struct refs places = candidates(b, command);

	build_step(b, b->identity, DO_LOOKUP, command)->exec.candidates = places;
}

void build_exec(struct build *b)
{
	const struct spec_process *p = &b->spec->process;
	const char *const *env = environment_unique(b->arena, p->env, p->cwd_try ? "PWD" : NULL);
	struct refs places = candidates(b, p->program ? p->program : p->argv[0]);
	struct refs argv = plan_add_strs(b->out, p->argv), list = plan_add_strs(b->out, env);
	struct refs argv_room, env_room;
	struct step *s;
	void *zeros = arena_alloc(b->arena, (argv.n + list.n + 5) * sizeof(char *));

	argv_room = plan_add_array(b->out, zeros, argv.n + 1, sizeof(char *));
	env_room = plan_add_array(b->out, zeros, list.n + 3, sizeof(char *));
	s = build_step(b, STAGE_FINAL, DO_EXEC, p->argv[0]);
	s->exec.argv = argv;
	s->exec.env = list;
	s->exec.candidates = places;
	s->exec.argv_room = argv_room;
	s->exec.env_room = env_room;
}

static void build_cwd(struct build *b, unsigned flags)
{
	struct step *s = build_step(b, b->identity, DO_CWD, b->spec->process.cwd ? b->spec->process.cwd : "/");

	s->pair.key = s->object;
	s->flags = (uint16_t)flags;
}

static void build_cwd_try(struct build *b)
{
	struct refs places = plan_add_strs(b->out, b->spec->process.cwd_try);
	struct step *s = build_step(b, b->identity, DO_CWD, b->spec->process.cwd_try[0]);

	s->flags = CWD_TRY;
	s->cwd.places = places;
}

static bool has_cwd(const struct build *b)
{
	return !b->spec->process.cwd_try && b->spec->process.cwd && !text_is(b->spec->process.cwd, "/");
}

/* With a gate it is done before: who creates a container with a terminal may read our output until its end before he
 * starts it (containerd does).  Under nook's own pid 1 the command leads the session, which comes later. */
static void build_session(struct build *b)
{
	const struct spec_process *p = &b->spec->process;

	if (!p->same_session)
		build_step(b, b->identity, DO_SESSION, NULL)->flags = p->terminal ? SESSION_TERMINAL : 0;
}

int build_identity(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	const char *home = environment_find(p->env, "HOME");

	if (!p->argv || !p->argv[0] || !p->argv[0][0])
		return err_why(e, STEP_EXEC, "process.args", EINVAL, "no command was given");
	build_user(b, home && *home);
	build_session(b);
	if (has_cwd(b))
		build_cwd(b, 0);
	return build_sched(b, e);
}

void build_fds(struct build *b)
{
	const struct spec_process *p = &b->spec->process;
	struct refs keep = plan_add_array(b->out, p->keep_fds, p->n_keep_fds, sizeof(*p->keep_fds));
	struct step *s;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit limit = possible(b, &p->rlimits[i]);

		if (limit.resource == RLIMIT_NOFILE && !b->files_limited)
			(void)build_rlimit(b, STAGE_FINAL, &limit);
	}
	s = build_step(b, STAGE_FINAL, DO_FDS, NULL);
	s->flags = b->fds_marked ? FDS_MARKED : 0;
	s->fds.preserve = p->preserve_fds;
	s->fds.keep = keep;
}

/*
 * What can fail comes before the gate, where there is one: who creates a container wants to hear of it.  Behind it come
 * the hooks that belong there, and what would be in their way and the gate's.
 */
int build_final(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	bool gated = b->identity != STAGE_FINAL, later;

	TRY(build_identity(b, e));
	TRY(build_security(b, e));
	/* Without no_new_privs loading a filter takes CAP_SYS_ADMIN, so it is loaded while that is still there. */
	if (!p->no_new_privs)
		TRY(build_seccomp(b, e));
	later = gated && b->filtered;
	build_bounding(b);
	build_ids(b, b->request->deny_setgroups);
	if (has_cwd(b))
		build_cwd(b, CWD_AGAIN);
	if (p->cwd_try)
		build_cwd_try(b);
	if (later)
		build_caps_waiting(b);
	build_caps(b, later ? STAGE_FINAL : b->identity);
	if (gated)
		build_lookup(b);
	if (p->die_with_parent)
		build_step(b, STAGE_FINAL, DO_PARENT_DEATH, NULL);
	build_step(b, STAGE_FINAL, DO_UMASK, NULL)->value.number = p->user.has_umask ? p->user.umask : 022;
	build_hooks_inside(b, STAGE_FINAL, HOOK_START_CONTAINER, b->request->hook_state_created);
	if (p->no_new_privs)
		build_step(b, STAGE_FINAL, DO_NO_NEW_PRIVS, NULL);
	TRY(build_landlock(b, e));
	build_fds(b);
	if (p->no_new_privs)
		TRY(build_seccomp(b, e));
	build_exec(b);
	return 0;
}
