/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command inherits: session, keyring, limits, scheduling, working directory, descriptors; and the exec itself. */
#include "launch/walk.h"

#include "base/fd.h"
#include "security/lsm.h"
#include "sys/elf.h"
#include "sys/inroot.h"
#include "sys/keyring.h"
#include "sys/procfd.h"
#include "sys/pty.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

int apply_gate(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *dir = walk_str(w, s->pair.key), *name = walk_str(w, s->pair.value);
	auto_close int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (at < 0 || fd < 0)
		return err_sys(e, STEP_STATE, dir);
	if (gate_address(at, name, &address) < 0)
		return err_num(e, STEP_STATE, name, ENAMETOOLONG);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return err_sys(e, STEP_STATE, name);
	w->slots[s->slot] = take_fd(&fd);
	return 0;
}

int apply_session(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* EPERM: already the leader, which a freshly cloned process is not unless it is pid 1 of a new namespace. */
	if (setsid() < 0 && (errno != EPERM || getsid(0) != getpid()))
		return err_sys(e, STEP_STDIO, "session");
	if (s->flags & SESSION_TERMINAL) {
		TRY(pty_make_controlling(w->terminal, e));
		for (int fd = 0; fd < 3; fd++)
			if (dup3(w->terminal, fd, 0) < 0)
				return err_sys(e, STEP_STDIO, "terminal");
	}
	return 0;
}

int apply_keyring(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *label = walk_str(w, s->pair.value), *name = s->pair.key.at ? walk_str(w, s->pair.key) : NULL;
	int r;

	/* execve(2) takes the label for new keys back. */
	if (label[0]) {
		auto_close int proc = TRY(procfd_open(e));

		TRY(lsm_selinux_keys(proc, label, e));
	}
	r = keyring_join(name, e);
	if (r == 0 && name && !(s->flags & KEYRING_SHARED))
		r = keyring_share(name, e);
	/* None can be made here; the caller's is unreachable through the filter anyway. */
	return r == -EDQUOT || r == -EPERM ? 0 : r;
}

int apply_parent_death(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* It outlives all but a change of ids to another user. */
	if (w->tied && walk_is_root(w))
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, STEP_SIGNAL, "parent death");
	w->tied = w->is_root;
	return 0;
}

/* ---- set by the parent on the child ------------------------------------------------------------------------------- */

int apply_oom_score(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* Who is about to join namespaces sets its own: it has no rights over itself once it cannot be looked into. */
	auto_close int fd = w->child ? openat(TRY(walk_child_proc(w, e)), "oom_score_adj", O_WRONLY | O_CLOEXEC)
				     : open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)s->value.number);

	if (fd < 0 || write(fd, text, (size_t)n) < 0) {
		if (s->value.clamp && (errno == EACCES || errno == EPERM))
			return 0; /* a default; the value inherited from the caller stays */
		return err_sys(e, STEP_PROC, "oom_score_adj");
	}
	return 0;
}

static int rlimit_get(struct walk *w, const struct step *s, struct rlimit64 *ret, struct nook_error *e)
{
	/* Pid 0 in the child: itself. */
	return syscall(SYS_prlimit64, w->child, (unsigned)s->rlimit.resource, NULL, ret) < 0
	               ? err_sys(e, STEP_RLIMIT, walk_str(w, s->object))
	               : 0;
}

int apply_rlimit(struct walk *w, const struct step *s, struct nook_error *e)
{
	struct rlimit64 limit = {s->rlimit.soft, s->rlimit.hard}, have;
	unsigned resource = (unsigned)s->rlimit.resource;

	if (s->flags & RLIMIT_RAISE) {
		TRY(rlimit_get(w, s, &have, e));
		if (have.rlim_max >= limit.rlim_max)
			return 0;
		limit.rlim_cur = have.rlim_cur;
	}
	if (syscall(SYS_prlimit64, w->child, resource, &limit, NULL) == 0)
		return 0;
	if (errno != EPERM || !s->rlimit.clamp)
		return err_sys(e, STEP_RLIMIT, walk_str(w, s->object));
	/* A default that the caller may not give: as much as it may. */
	if (s->flags & RLIMIT_RAISE)
		return 0;
	TRY(rlimit_get(w, s, &have, e));
	/* To lower it needs no right: then it is something else that refuses. */
	if (limit.rlim_max <= have.rlim_max)
		return err_num(e, STEP_RLIMIT, walk_str(w, s->object), EPERM);
	limit.rlim_max = have.rlim_max;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (syscall(SYS_prlimit64, w->child, resource, &limit, NULL) < 0)
		return err_sys(e, STEP_RLIMIT, walk_str(w, s->object));
	return 0;
}

/* ---- scheduling ---------------------------------------------------------------------------------------------------- */

enum { IOPRIO_WHO_PROCESS = 1 };

/* sched_setattr(2): <linux/sched/types.h> cannot be had together with <sched.h>. */
struct sched_attr {
	uint32_t size;
	uint32_t sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};

int apply_sched(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (s->sched.has_policy) {
		struct sched_attr a = {
			.size = sizeof(a),
			.sched_policy = s->sched.policy,
			.sched_flags = s->sched.flags,
			.sched_nice = s->sched.nice,
			.sched_priority = s->sched.priority,
			.sched_runtime = s->sched.runtime,
			.sched_deadline = s->sched.deadline,
			.sched_period = s->sched.period,
		};

		if (syscall(SYS_sched_setattr, 0, &a, 0U) < 0)
			return err_sys(e, STEP_SCHED, walk_str(w, s->object));
	} else if (s->sched.has_nice && setpriority(PRIO_PROCESS, 0, s->sched.nice) < 0) {
		return err_sys(e, STEP_SCHED, "nice");
	}
	if (s->sched.has_ioprio && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, s->sched.ioprio) < 0)
		return err_sys(e, STEP_SCHED, "io priority");
	return 0;
}

int apply_affinity(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* The mask was written out by the planner: key is its bytes as an array of unsigned long. */
	const void *mask = plan_at(w->plan, s->mask.paths.at);

	if (syscall(SYS_sched_setaffinity, w->child, (size_t)s->mask.paths.n * sizeof(unsigned long), mask) < 0)
		return err_sys(e, STEP_SCHED, walk_str(w, s->object));
	return 0;
}

int apply_personality(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (personality((unsigned long)s->value.number) < 0)
		return err_sys(e, STEP_PROCESS, "personality");
	return 0;
}

int apply_mempolicy(struct walk *w, const struct step *s, struct nook_error *e)
{
	const unsigned long *nodes = plan_at(w->plan, s->policy.nodes.at);

	if (syscall(SYS_set_mempolicy, s->policy.mode, s->policy.nodes.n ? nodes : NULL,
		    s->policy.nodes.n ? (unsigned long)s->policy.nodes.n * 64 + 1 : 0) < 0)
		return err_sys(e, STEP_MEMORY, "policy");
	return 0;
}

int apply_core_sched(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) < 0)
		return err_sys(e, STEP_SCHED, "core scheduling");
	return 0;
}

int apply_sysctl(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *name = walk_str(w, s->pair.key); /* "sys/net/ipv4/ip_forward" */

	/* Limits of a user namespace are that of who asks, whatever /proc it is. */
	if (w->proc < 0 && !strncmp(name, "sys/user/", 9)) {
		auto_close int host = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

		return host < 0 ? err_sys(e, STEP_SYSCTL, name) : procfd_write(host, name, walk_str(w, s->pair.value), STEP_SYSCTL, e);
	}
	if (w->proc < 0)
		return err_why(e, STEP_SYSCTL, name, ENOENT, "the container has no /proc");
	/* Closed at once: a file open for writing keeps the mount from becoming read-only. */
	return procfd_write(w->proc, name, walk_str(w, s->pair.value), STEP_SYSCTL, e);
}

int apply_umask(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* Which child_run() has begun with. */
	if (s->value.number != CHILD_UMASK)
		(void)umask((mode_t)s->value.number);
	return 0;
}

/* ---- working directory --------------------------------------------------------------------------------------------- */

static int cwd_check(const char *path, struct nook_error *e)
{
	char where[PATH_MAX];

	/* "(unreachable)/...": a directory outside the root, reached through a descriptor (CVE-2024-21626). */
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/')
		return err_why(e, STEP_CWD, path, EXDEV, "it is outside the container's root");
	return 0;
}

static int cwd_try(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = plan_at(w->plan, s->cwd.places.at);

	for (uint32_t i = 0; i < s->cwd.places.n; i++, path = plan_next(path)) {
		if (chdir(path) < 0)
			continue;
		TRY(cwd_check(path, e));
		memcpy(w->pwd, "PWD=", 4);
		(void)stpncpy(w->pwd + 4, path, PATH_MAX);
		return 0;
	}
	return err_sys(e, STEP_CWD, walk_str(w, s->object));
}

int apply_cwd(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path;

	if (s->flags & CWD_TRY)
		return cwd_try(w, s, e);
	path = walk_str(w, s->pair.key);
	if (s->flags & CWD_AGAIN && !w->cwd_later)
		return 0;
	if (chdir(path) == 0)
		return cwd_check(path, e);
	if (errno == ENOENT && !(s->flags & CWD_AGAIN)) {
		auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		auto_close int made = TRY(inroot_mkdirs(root, path, 0755, e));

		if (fchdir(made) < 0)
			return err_sys(e, STEP_CWD, path);
		return cwd_check(path, e);
	}
	/* A directory that only the user may enter (0700, or on a file system that denies root): once more as the user. */
	if (errno == EACCES && !(s->flags & CWD_AGAIN)) {
		w->cwd_later = true;
		return 0;
	}
	return err_sys(e, STEP_CWD, path);
}

/* ---- the end -------------------------------------------------------------------------------------------------------- */

int apply_fds(struct walk *w, const struct step *s, struct nook_error *e)
{
	const uint32_t *keep = plan_at(w->plan, s->fds.keep.at);
	unsigned first = 3 + s->fds.preserve;

	if (s->flags & FDS_MARK)
		return fds_cloexec_from(first, e);
	for (unsigned fd = 3; fd < first; fd++)
		if (fcntl((int)fd, F_SETFD, 0) < 0)
			return err_sys(e, STEP_FDS, walk_str(w, s->object));
	/* What has been opened since is close-on-exec from the beginning. */
	if (!(s->flags & FDS_MARKED) && !w->is_empty)
		TRY(fds_cloexec_from(first, e));
	for (uint32_t i = 0; i < s->fds.keep.n; i++)
		if (fcntl((int)keep[i], F_SETFD, 0) < 0)
			return err_sys(e, STEP_FDS, walk_str(w, s->object));
	return 0;
}

/* Fills a vector of pointers into the plan's strings. */
/* Which failure tells more when several places were tried: "not permitted" beats "not found". */
static int worse(int old, int new)
{
	return !old || old == ENOENT || old == ENOTDIR ? new : old;
}

/* execve(2) tells neither that a program is for another machine nor that its loader is missing: the file does. */
static int exec_refused(const char *path, const char *name, int errnum, struct nook_error *e)
{
	auto_close int fd = errnum == ENOENT || errnum == ENOEXEC ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -EBADF;
	char why[NOOK_DETAIL_MAX] = "";
	int r = err_num(e, STEP_EXEC, name, errnum);

	if (fd >= 0) {
		struct elf_info info;

		elf_inspect(fd, &info);
		elf_explain(&info, errnum, why, sizeof(why));
	}
	if (why[0])
		err_detail(e, why);
	return r;
}

/* By what the command will have: the user it runs as, its capabilities, its working directory. */
int apply_lookup(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = plan_at(w->plan, s->exec.candidates.at);
	int errnum = ENOENT;

	for (uint32_t i = 0; i < s->exec.candidates.n; i++, path = plan_next(path)) {
		struct stat st;

		if (stat(path, &st) < 0)
			errnum = worse(errnum, errno);
		else if (!S_ISDIR(st.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
			return 0;
		else
			errnum = EACCES;
	}
	return err_num(e, STEP_EXEC, walk_str(w, s->object), errnum);
}

int apply_exec(struct walk *w, const struct step *s, struct nook_error *e)
{
	const struct plan *p = w->plan;
	/* The vectors were reserved by the planner behind the plan's strings; this copy of the memory is ours alone. */
	char **argv = (char **)(uintptr_t)plan_at(p, s->exec.argv_room.at);
	char **env = (char **)(uintptr_t)plan_at(p, s->exec.env_room.at);
	const char *path = plan_at(p, s->exec.candidates.at), *tried = path;
	int errnum = 0;

	walk_vector(p, s->exec.argv, argv);
	walk_vector(p, s->exec.env, env);
	char **more = env + s->exec.env.n;

	if (w->home[0])
		*more++ = w->home;
	if (w->pwd[0])
		*more++ = w->pwd;
	*more = NULL;
	for (uint32_t i = 0; i < s->exec.candidates.n; i++, path = plan_next(path)) {
		(void)execve(path, argv, env);
		/* A file that is there but cannot run: no later directory of PATH may hide why. */
		if (errno != ENOENT || access(path, F_OK) == 0)
			tried = path;
		errnum = worse(errnum, errno);
		if (errno != ENOENT && errno != EACCES && errno != ENOTDIR)
			break;
	}
	return exec_refused(tried, argv[0], errnum ? errnum : ENOENT, e);
}
