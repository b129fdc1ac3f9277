/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows from all options together: from them to the spec, and from the spec to the plan. */
#include "box/bwrap_words.h"

#include "security/caps.h"
#include "security/lsm.h"
#include "spec/spec_defaults.h"

#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int check_words(const struct bwrap_words *p, struct nook_error *e)
{
	bool user = p->unshare & (1U << NS_USER);

	if (p->userns >= 0 && user)
		return bwrap_refuse("--userns", "it cannot be combined with --unshare-user", e);
	if (p->userns2 >= 0 && p->userns < 0)
		return bwrap_refuse("--userns2", "it is for who joins one with --userns", e);
	if ((p->uid.set || p->gid.set) && !user && p->userns < 0)
		return bwrap_refuse(p->uid.set ? "--uid" : "--gid", "it requires --unshare-user or --userns", e);
	if (p->hostname && !(p->unshare & (1U << NS_UTS)))
		return bwrap_refuse("--hostname", "it requires --unshare-uts", e);
	if (p->as_pid_1 && !(p->unshare & (1U << NS_PID)))
		return bwrap_refuse("--as-pid-1", "it requires --unshare-pid", e);
	if (p->as_pid_1 && p->n_locks)
		return bwrap_refuse("--as-pid-1", "it cannot be combined with --lock-file", e);
	if (p->disable_userns && !user)
		return bwrap_refuse("--disable-userns", "it requires --unshare-user", e);
	if (p->disable_userns && p->b->userns_block_fd >= 0)
		return bwrap_refuse("--disable-userns", "it cannot be combined with --userns-block-fd", e);
	if (p->disable_userns && p->caps & CAPS_BIT(CAP_SYS_RESOURCE))
		return bwrap_refuse("--disable-userns", "a command that keeps CAP_SYS_RESOURCE could allow them again", e);
	if (p->b->userns_block_fd >= 0 && (!user || p->b->info_fd < 0))
		return bwrap_refuse("--userns-block-fd", "it requires --unshare-user and --info-fd", e);
	if (p->has_seccomp && p->has_seccomp_list)
		return bwrap_refuse("--seccomp", "it cannot be combined with --add-seccomp-fd", e);
	if (p->has_seccomp && p->spec->n_seccomp_more > 1)
		return bwrap_refuse("--seccomp", "it can be given once; --add-seccomp-fd may be repeated", e);
	if (p->share_net && !p->unshare_all)
		return bwrap_refuse("--share-net", "it is for who has --unshare-all", e);
	return 0;
}

/* Can the caller make user namespaces?  For --unshare-user-try and, in what will be the sandbox's, --assert-userns-disabled. */
static bool can_make_userns(int in)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit((in >= 0 && setns(in, CLONE_NEWUSER) < 0) || unshare(CLONE_NEWUSER) < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void settle_namespaces(struct bwrap_words *p)
{
	static const enum ns_kind kinds[] = {NS_IPC, NS_PID, NS_NET, NS_UTS, NS_CGROUP};

	if (p->unshare_all) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			p->unshare |= 1U << kinds[i];
		p->unshare_try |= 1U << NS_USER;
	}
	if (p->share_net)
		p->unshare &= ~(1U << NS_NET);
	if (p->unshare_try & (1U << NS_CGROUP) && access("/proc/self/ns/cgroup", F_OK) == 0)
		p->unshare |= 1U << NS_CGROUP;
	if (p->userns >= 0)
		return;
	/* Who is not root has no other way to the other namespaces. */
	if (geteuid() != 0 || (p->unshare_try & (1U << NS_USER) && can_make_userns(-1)))
		p->unshare |= 1U << NS_USER;
}

static int assert_disabled(const struct bwrap_words *p, struct nook_error *e)
{
	if (!p->assert_disabled || p->disable_userns)
		return 0;
	if (can_make_userns(p->userns2 >= 0 ? p->userns2 : p->userns))
		return bwrap_refuse("--assert-userns-disabled", "user namespaces can be made", e);
	return 0;
}

static void fill_namespaces(struct bwrap_words *p)
{
	struct spec *s = p->spec;

	s->ns[NS_MNT].mode = NS_PRIVATE;
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (p->unshare & (1U << kind))
			s->ns[kind].mode = NS_PRIVATE;
	if (p->userns >= 0)
		s->ns[NS_USER] = (struct spec_ns){NS_PATH, arena_printf(p->arena, "/proc/self/fd/%d", p->userns)};
	if (p->userns2 >= 0)
		s->last_userns = arena_printf(p->arena, "/proc/self/fd/%d", p->userns2);
	if (p->pidns >= 0 && p->unshare & (1U << NS_PID))
		s->parent_pidns = arena_printf(p->arena, "/proc/self/fd/%d", p->pidns);
	else if (p->pidns >= 0)
		s->ns[NS_PID] = (struct spec_ns){NS_PATH, arena_printf(p->arena, "/proc/self/fd/%d", p->pidns)};
	s->net_loopback_up = s->ns[NS_NET].mode == NS_PRIVATE;
	s->hostname = p->hostname;
	if (p->disable_userns)
		spec_pair_set(p->arena, &s->sysctls, &s->n_sysctls, "user.max_user_namespaces", "0");
}

static void fill_user(struct bwrap_words *p)
{
	struct spec_user *u = &p->spec->process.user;
	mode_t mask = umask(0);

	(void)umask(mask);
	u->uid = p->uid.set ? (uint32_t)p->uid.value : geteuid();
	u->gid = p->gid.set ? (uint32_t)p->gid.value : getegid();
	u->keep_groups = u->no_home = true;
	u->has_umask = true;
	u->umask = mask;
	if (p->spec->ns[NS_USER].mode != NS_PRIVATE || p->b->userns_block_fd >= 0)
		return;
	*arena_push(p->arena, &p->spec->uid_maps, &p->spec->n_uid_maps) = (struct spec_idmap){u->uid, geteuid(), 1};
	*arena_push(p->arena, &p->spec->gid_maps, &p->spec->n_gid_maps) = (struct spec_idmap){u->gid, getegid(), 1};
}

static void fill_process(struct bwrap_words *p, int argc, char **argv)
{
	struct spec_process *s = &p->spec->process;
	const char **words = arena_new_n(p->arena, const char *, (size_t)argc + 1), **places = NULL;
	const char *home = p->home;
	char here[PATH_MAX];
	size_t n = 0;

	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	if (p->argv0) {
		s->program = argv[0];
		words[0] = p->argv0;
	}
	s->argv = words;
	*arena_push(p->arena, &p->env, &p->n_env) = NULL;
	s->env = p->env;
	if (p->chdir) {
		*arena_push(p->arena, &places, &n) = p->chdir;
	} else {
		if (getcwd(here, sizeof(here)) && here[0] == '/')
			*arena_push(p->arena, &places, &n) = arena_strdup(p->arena, here);
		if (home && home[0] == '/')
			*arena_push(p->arena, &places, &n) = home;
		*arena_push(p->arena, &places, &n) = "/";
	}
	s->cwd_try = places;
	s->same_session = !p->new_session;
	s->init = p->unshare & (1U << NS_PID) && !p->as_pid_1;
	s->die_with_parent = p->b->die_with_parent;
	s->no_new_privs = true;
	s->has_caps = true;
	for (int i = 0; i < CAPS_SETS; i++)
		s->caps[i] = (i == CAPS_AMBIENT || i == CAPS_INHERITABLE) && !p->cap_options ? 0 : p->caps;
}

int bwrap_settle(struct bwrap_words *p, int argc, char **argv, struct nook_error *e)
{
	settle_namespaces(p);
	TRY(check_words(p, e));
	TRY(assert_disabled(p, e));
	fill_namespaces(p);
	fill_user(p);
	fill_process(p, argc, argv);
	p->spec->locks = p->locks;
	p->spec->readonly = p->covered;
	return 0;
}

int bwrap_compile(struct bwrap *b, const uint32_t *keep, size_t n_keep, struct nook_error *e)
{
	struct spec *s = b->spec;
	struct plan_host host;
	struct plan_request q = {.spec = s, .host = &host};
	struct plan_result result = {0};

	if (s->mount_label) {
		TRY(lsm_check(lsm_active(), NULL, s->mount_label, e));
		/* Mounts of nook's carry no label yet. */
		return err_why(e, STEP_LSM, "--file-label", EOPNOTSUPP, "nook cannot label what it mounts");
	}
	TRY(plan_host_probe(&host, e));
	s->root.kind = ROOT_TMPFS;
	s->process.keep_fds = keep;
	s->process.n_keep_fds = n_keep;
	q.maps_elsewhere = b->userns_block_fd >= 0 || s->ns[NS_USER].mode == NS_PATH;
	q.deny_setgroups = s->ns[NS_USER].mode == NS_PRIVATE;
	TRY(spec_check(s, e));
	TRY(plan_build(b->arena, &q, &result, e));
	b->plan = result.plan;
	b->notes = result.notes;
	return 0;
}
