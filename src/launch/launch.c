/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent's side of a start.
 *
 *   parent                          child
 *   PREPARE
 *   clone3 ------------------------> EARLY
 *   ADOPT (id maps, cgroups)         waits
 *   WIRE_GO -----------------------> BUILD (no word is waited for when there is nothing to adopt)
 *                      <------------ WIRE_HOOKS (only when the plan has hooks)
 *   HOOKS, WIRE_GO ----------------> ENTER
 *                      <------------ WIRE_READY (only with a gate)
 *   end of file        <------------ FINAL, execve
 *
 * A plan that joins namespaces has a process in between: it walks JOIN, clones the real child with CLONE_PARENT, says
 * who that is and ends.  (Not needed where enter_pidns() works: there the child walks JOIN itself.)  A failure anywhere is one WIRE_ERROR record; the parent then kills and reaps what it started.
 */
#include "launch/launch.h"

#include "launch/child.h"
#include "sys/pid.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

void launched_done(struct launched *l)
{
	close_fd(&l->pidfd);
	close_fd(&l->console);
	close_fd(&l->listener);
	while (l->n_held)
		close_fd(&l->held[--l->n_held]);
	if (l->status)
		(void)munmap(l->status, sizeof(*l->status));
	l->status = NULL;
}

/* The exit status of pid 1 cannot tell signal 9 from exit(137); a page of shared memory can, and no command reaches it. */
static int status_share(struct walk *w, struct launched *l, struct nook_error *e)
{
	void *page;

	if (!w->plan->init)
		return 0;
	page = mmap(NULL, sizeof(*l->status), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return err_sys(e, STEP_MEMORY, "status");
	w->status = l->status = page;
	*l->status = -1;
	return 0;
}

/* What the caller has left ignored.  Unknown counts as all. */
static uint64_t signals_ignored(const struct launch_hooks *hooks)
{
	struct pid_stat self;

	if (hooks && hooks->self)
		return hooks->self->ignored;
	return pid_stat_self(&self) < 0 ? UINT32_MAX : self.ignored;
}

static bool has_stage(const struct plan *p, enum stage stage)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].stage == stage)
			return true;
	return false;
}

static pid_t clone_with(uint64_t flags, int cgroup, int *pidfd)
{
	struct clone_args a = {
		.flags = flags | CLONE_CLEAR_SIGHAND,
		/* With CLONE_PARENT the child ends as its maker would: with SIGCHLD. */
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};
	long pid;

	if (pidfd) {
		a.flags |= CLONE_PIDFD;
		a.pidfd = (uintptr_t)pidfd;
	}
	if (cgroup >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
	}
	pid = syscall(SYS_clone3, &a, sizeof(a));
	return pid < 0 ? -errno : (pid_t)pid;
}

/* The process in between: enters the namespaces, makes the real child a child of our parent, says who it is. */
static _Noreturn void join_run(struct walk *w)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r;
	pid_t pid;

	r = walk_stage(w, STAGE_JOIN, &e);
	/* Nor may what shares all namespaces with us; DO_JOIN_NS has done it before it entered the first. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (r == 0) {
		pid = clone_with(w->plan->clone_flags | CLONE_PARENT, -EBADF, NULL);
		if (pid == 0)
			child_run(w);
		r = pid < 0 ? err_num(&e, STEP_CLONE, NULL, pid) : wire_send(w->wire, WIRE_CHILD, pid);
	}
	if (r < 0)
		(void)wire_send_error(w->wire, &e, r);
	_exit(r < 0 ? 125 : 0);
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int from_wire(const struct wire_record *r, struct nook_error *e)
{
	if (e)
		*e = r->error;
	return r->number < 0 ? r->number : -EIO;
}

/* A descriptor that came with a record finds its place. */
static int keep_passed(struct launched *l, const struct wire_record *record, int *passed, struct nook_error *e)
{
	int *to = record->kind == WIRE_CONSOLE ? &l->console : &l->listener;

	if (record->kind == WIRE_HELD && l->n_held == HELD_MAX) {
		close_fd(passed);
		return err_num(e, STEP_LOCK, NULL, E2BIG);
	}
	if (record->kind == WIRE_HELD)
		to = &l->held[l->n_held++];
	else
		close_fd(to);
	*to = take_fd(passed);
	return 0;
}

/* Hears from the process in between who the real child is.  That one runs already, up to where it waits, and may be heard
 * first: why it failed is told once it can be reaped. */
static int hear_child(int wire, struct launched *l, struct nook_error *e)
{
	struct wire_record record, failed = {.kind = WIRE_GO};
	int passed, r, kept = 0;

	while ((r = wire_receive(wire, &record, &passed)) > 0 && record.kind != WIRE_CHILD) {
		if (record.kind == WIRE_ERROR)
			failed = record;
		else if (kept == 0 && passed >= 0)
			kept = keep_passed(l, &record, &passed, e);
		close_fd(&passed);
	}
	if (r > 0)
		l->pid = record.number;
	if (failed.kind == WIRE_ERROR)
		return from_wire(&failed, e);
	if (r > 0)
		return kept;
	return err_num(e, STEP_WIRE, "join", r ? r : -EPIPE);
}

/* One setns(2) on a container's first process enters all of its namespaces; that of the pids is for children, so that the
 * caller can enter it beforehand.  Not so without the rights over it, which an ordinary user has inside alone. */
static void enter_pidns(struct walk *w)
{
	const struct step *join = NULL;

	for (uint32_t i = 0; i < w->plan->n_steps; i++) {
		const struct step *s = &w->plan->steps[i];

		if (s->kind == DO_JOIN_NS && join)
			return;
		if (s->kind == DO_JOIN_NS)
			join = s;
	}
	if (w->plan->clone_flags || !join || !(join->ns.flags & CLONE_NEWPID) ||
		setns(walk_slot(w, join->slot), CLONE_NEWPID) < 0)
		return;
	/* The child is seen from inside at once. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	w->in_pidns = true;
}

static uint64_t flags_joined(const struct plan *p)
{
	uint64_t flags = 0;

	for (uint32_t i = 0; i < p->n_steps; i++)
		flags |= p->steps[i].kind == DO_JOIN_NS ? p->steps[i].ns.flags : 0;
	return flags;
}

/* The child itself enters the other namespaces. */
static _Noreturn void join_and_run(struct walk *w)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r = walk_stage(w, STAGE_JOIN, &e);

	if (r < 0) {
		(void)wire_send_error(w->wire, &e, r);
		_exit(125);
	}
	/* A change of the user namespace has set it anew. */
	if (flags_joined(w->plan) & CLONE_NEWUSER)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	child_run(w);
}

/* Starts the first process.  To be born in a group takes rights over the groups between it and the caller's; when they are
 * missing and hooks->attach is there, *ret_outside says that it was not. */
static int clone_first(struct walk *w, int wire, const struct launch_hooks *hooks, struct launched *l, bool *ret_outside,
	struct nook_error *e)
{
	const struct plan *p = w->plan;
	int cgroup = walk_slot(w, p->cgroup_slot);
	bool joins = has_stage(p, STAGE_JOIN) && !w->in_pidns;
	int r;
	pid_t pid;

	pid = clone_with(joins ? 0 : p->clone_flags, cgroup, joins ? NULL : &l->pidfd);
	*ret_outside = pid == -EACCES && cgroup >= 0 && hooks && hooks->attach;
	if (*ret_outside)
		pid = clone_with(joins ? 0 : p->clone_flags, -EBADF, joins ? NULL : &l->pidfd);
	if (pid < 0)
		return err_num(e, STEP_CLONE, NULL, pid);
	if (pid == 0) {
		w->parents_wire = wire;
		if (joins)
			join_run(w);
		if (w->in_pidns)
			join_and_run(w);
		child_run(w);
	}
	if (!joins) {
		l->pid = pid;
		return 0;
	}
	close_fd(&w->wire);
	r = hear_child(wire, l, e);
	reap(pid);
	if (l->pid <= 0)
		return r;
	/* Our own child, not yet waited for: the number cannot have been taken by another process. */
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	return r == 0 && l->pidfd < 0 ? err_sys(e, STEP_CLONE, "pidfd") : r;
}

/* The listener is fetched by its number: for the child to send it, the filter that has just been loaded would have to let
 * sendmsg(2) pass. */
static int pass_listener(const struct launch_hooks *hooks, pid_t pid, int pidfd, int number, int wire, struct nook_error *e)
{
	auto_close int listener = -EBADF;
	int r;

	if (!hooks || !hooks->notify)
		return err_why(e, STEP_SECCOMP, "listener", EOPNOTSUPP, "nobody here passes it to an agent");
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0U);
	if (listener < 0)
		return err_sys(e, STEP_SECCOMP, "listener");
	TRY(hooks->notify(hooks->data, pid, listener, e));
	r = wire_send(wire, WIRE_GO, 0);
	return r < 0 && r != -EPIPE ? err_num(e, STEP_WIRE, NULL, r) : 0;
}

static int observe(const struct launch_hooks *hooks, pid_t pid, int listener, struct nook_error *e)
{
	if (!hooks || !hooks->notify)
		return err_why(e, STEP_SECCOMP, "listener", EOPNOTSUPP, "nobody here observes");
	return hooks->notify(hooks->data, pid, listener, e);
}

/* Serves the child until the command runs, the gate is reached, or something failed. */
static int serve(struct walk *w, int wire, const struct launch_hooks *hooks, struct launched *l, struct nook_error *e)
{
	for (;;) {
		struct wire_record record;
		int passed;
		int r = wire_receive(wire, &record, &passed);

		if (r < 0)
			return err_num(e, STEP_WIRE, NULL, r);
		if (r == 0)
			return 0;
		switch ((enum wire_kind)record.kind) {
		case WIRE_ERROR:
			return from_wire(&record, e);
		case WIRE_NOTIFY:
			TRY(pass_listener(hooks, l->pid, l->pidfd, record.number, wire, e));
			break;
		case WIRE_OBSERVE:
			r = observe(hooks, l->pid, passed, e);
			close_fd(&passed);
			TRY(r);
			break;
		case WIRE_CONSOLE:
		case WIRE_LISTENER:
		case WIRE_HELD:
			TRY(keep_passed(l, &record, &passed, e));
			break;
		case WIRE_HOOKS:
			TRY(walk_stage(w, STAGE_HOOKS, e));
			r = wire_send(wire, WIRE_GO, 0);
			if (r < 0 && r != -EPIPE)
				return err_num(e, STEP_WIRE, NULL, r);
			break;
		case WIRE_READY:
			return 0;
		default:
			close_fd(&passed);
			return err_num(e, STEP_WIRE, NULL, EPROTO);
		}
	}
}

/* The directory of the group in which the first process was to be born. */
static const char *birth_group(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if ((s->kind == DO_CGROUP_DIR || s->kind == DO_CGROUP_OPEN) && s->slot == p->cgroup_slot)
			return plan_str(p, s->cgroup.dir);
	}
	return "";
}

static int launch_cloned(struct walk *w, int wire, const struct launch_hooks *hooks, bool outside, struct launched *l,
	struct nook_error *e)
{
	int r;

	if (outside)
		TRY(hooks->attach(hooks->data, l->pid, birth_group(w->plan), e));
	if (!w->waits)
		return serve(w, wire, hooks, l, e);
	if (hooks && hooks->born)
		TRY(hooks->born(hooks->data, l->pid, l->pidfd, e));
	w->child = l->pid;
	r = walk_stage(w, STAGE_ADOPT, e);
	if (r < 0) {
		struct wire_record record;

		/* When the child failed first, its own words explain more than what that led to here. */
		if (recv(wire, &record, sizeof(record), MSG_DONTWAIT) == sizeof(record) && record.kind == WIRE_ERROR)
			return from_wire(&record, e);
		return r;
	}
	if (hooks && hooks->adopted) {
		int proc = TRY(walk_child_proc(w, e));

		TRY(hooks->adopted(hooks->data, l->pid, l->pidfd, proc, e));
	}
	r = wire_send(wire, WIRE_GO, 0);
	if (r < 0 && r != -EPIPE)
		return err_num(e, STEP_WIRE, NULL, r);
	return serve(w, wire, hooks, l, e);
}

static void kill_and_reap(struct launched *l)
{
	if (l->pid <= 0)
		return;
	/* Not yet waited for, so the number is still its own. */
	(void)kill(l->pid, SIGKILL);
	reap(l->pid);
	l->pid = 0;
}

int launch(const struct plan *p, const struct launch_hooks *hooks, struct launched *ret, struct nook_error *e)
{
	struct launched l = LAUNCHED_INIT;
	struct walk w;
	bool outside = false;
	int pair[2], r;

	walk_init(&w, p);
	w.is_alone = hooks && hooks->alone;
	if (hooks && hooks->joined > 0)
		w.joined = hooks->joined;
	r = walk_stage(&w, STAGE_PREPARE, e);
	memcpy(l.held, w.held, sizeof(l.held));
	l.n_held = w.n_held;
	if (r >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		r = err_sys(e, STEP_WIRE, NULL);
	if (r < 0) {
		walk_done(&w, NULL);
		launched_done(&l);
		return r;
	}
	w.wire = pair[1];
	w.ignored_signals = signals_ignored(hooks);
	if (hooks && hooks->alone)
		enter_pidns(&w);
	w.waits = has_stage(p, STAGE_ADOPT) || has_stage(p, STAGE_HOOKS) || p->gate != GATE_NONE ||
		(has_stage(p, STAGE_JOIN) && !w.in_pidns) || (hooks && (hooks->born || hooks->adopted || hooks->attach));
	r = status_share(&w, &l, e);
	if (r == 0)
		r = clone_first(&w, pair[0], hooks, &l, &outside, e);
	close_fd(&w.wire);
	if (r == 0)
		r = launch_cloned(&w, pair[0], hooks, outside, &l, e);
	walk_done(&w, &pair[0]);
	if (r < 0) {
		kill_and_reap(&l);
		launched_done(&l);
		return r;
	}
	*ret = l;
	return 0;
}

int gate_address(int dir, const char *name, struct sockaddr_un *ret)
{
	/* sun_path holds 107 bytes, paths may be longer: go through the directory's descriptor. */
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	return snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir, name) < (int)sizeof(ret->sun_path)
	               ? 0
	               : -ENAMETOOLONG;
}

int launch_go(int dir, const char *name, pid_t pid, int pidfd, const struct launch_hooks *hooks, struct nook_error *e)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct wire_record record;
	struct sockaddr_un address;
	int passed, r;

	if (fd < 0)
		return err_sys(e, STEP_WIRE, name);
	r = gate_address(dir, name, &address);
	if (r < 0)
		return err_num(e, STEP_WIRE, name, r);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ECONNREFUSED || errno == ENOENT
		               ? err_why(e, STEP_CONTAINER, NULL, ESRCH, "it is not waiting to be started")
		               : err_sys(e, STEP_WIRE, name);
	/* The one whose connection is accepted hears READY; whoever came second hears the end of file. */
	r = wire_receive(fd, &record, &passed);
	if (r < 0)
		return err_num(e, STEP_WIRE, name, r);
	if (r == 0 || record.kind != WIRE_READY)
		return err_why(e, STEP_CONTAINER, NULL, EALREADY, "it has been started already or has ended");
	while ((r = wire_receive(fd, &record, &passed)) == 1 && record.kind == WIRE_NOTIFY)
		TRY(pass_listener(hooks, pid, pidfd, record.number, fd, e));
	if (r < 0)
		return err_num(e, STEP_WIRE, name, r);
	return r == 1 && record.kind == WIRE_ERROR ? from_wire(&record, e) : 0;
}
