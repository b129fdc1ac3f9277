/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The child's side of a start: see launch.c for the order.  From here to execve(2) nothing allocates, formats or touches
 * stdio; all strings and descriptors were made by the parent.
 */
#include "launch/child.h"

#include "launch/reaper.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* clone3 has reset the signals that had handlers; what the caller left ignored (nohup, runtimes of languages) is told by
 * the parent, who asked once. */
static void signals_reset(uint64_t ignored)
{
	sigset_t none;

	for (int sig = 1; ignored; sig++, ignored >>= 1)
		if (ignored & 1)
			(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int wait_go(struct walk *w, struct nook_error *e)
{
	int r = wire_wait_go(w->wire);

	return r < 0 ? err_num(e, STEP_WIRE, "parent", r) : 0;
}

static bool has_hooks(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].stage == STAGE_HOOKS)
			return true;
	return false;
}

/* Numbers in ascending order that stay open. */
struct kept {
	int fds[PLAN_SLOTS + 1 + KEEP_MAX];
	size_t n;
};

static void keep(struct kept *k, int fd)
{
	size_t at = k->n;

	if (fd < 0 || k->n == sizeof(k->fds) / sizeof(k->fds[0]))
		return;
	for (; at > 0 && k->fds[at - 1] > fd; at--)
		k->fds[at] = k->fds[at - 1];
	k->fds[at] = fd;
	k->n++;
}

/* Closes all from NEXT on but the kept ones. */
static void close_others(const struct kept *k, unsigned next)
{
	for (size_t i = 0; i < k->n; i++) {
		if (k->fds[i] < (int)next)
			continue;
		if ((unsigned)k->fds[i] > next)
			(void)syscall(SYS_close_range, next, k->fds[i] - 1, 0);
		next = (unsigned)k->fds[i] + 1;
	}
	(void)syscall(SYS_close_range, next, ~0U, 0);
}

/* Returns the first number that may be closed. */
static unsigned keep_for_command(const struct plan *p, struct kept *k)
{
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		const uint32_t *fds;

		if (s->kind != DO_FDS || s->flags & FDS_MARK)
			continue;
		fds = plan_at(p, s->fds.keep.at);
		for (uint32_t f = 0; f < s->fds.keep.n; f++)
			keep(k, (int)fds[f]);
		return 3 + s->fds.preserve;
	}
	return 3;
}

/* What was opened for the joins has done its work: it opens the way to the host's groups and to other processes. */
static void keep_slots(const struct walk *w, struct kept *k)
{
	const struct plan *p = w->plan;
	bool done[PLAN_SLOTS] = {false};

	/* In order: a namespace that is opened with the others may be entered last of all. */
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		bool opens = s->kind == DO_OPEN_PID || s->kind == DO_OPEN_NS || s->kind == DO_CGROUP_OPEN;

		if (s->slot >= 0)
			done[s->slot] = s->stage == STAGE_JOIN || opens;
	}
	for (int i = 0; i < PLAN_SLOTS; i++)
		if (!done[i])
			keep(k, w->slots[i]);
}

/* Does this process live among others, or for longer than it takes to get to execve(2)?  There what has close-on-exec is
 * closed anyway. */
static bool stays(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].stage == STAGE_JOIN || p->steps[i].stage == STAGE_HOOKS || p->steps[i].kind == DO_HOOK_INSIDE)
			return true;
	return p->init || p->gate == GATE_SOCKET || !(p->clone_flags & CLONE_NEWPID);
}

/* Closes what the caller has open and the plan does not use: a lock that the caller takes back, or a pipe whose end
 * somebody waits for, must not live on in a container that waits at its gate, and a process of the container that is
 * joined finds nothing in /proc/PID/fd. */
static void drop_callers_descriptors(struct walk *w)
{
	struct kept k = {.n = 0};
	unsigned next = keep_for_command(w->plan, &k);
	size_t passed_on;

	/* Where the caller has begun without all of its first three, it may be one of those. */
	if (w->parents_wire < (int)next)
		close_fd(&w->parents_wire);
	keep(&k, w->wire);
	passed_on = k.n;
	keep_slots(w, &k);
	close_others(&k, next);
	w->is_empty = k.n == passed_on;
}

/* What waits at the gate has what its command may, and no more: a process that joins the container could look into it, and
 * what it has opened on the way there leads to the host (CVE-2024-21626). */
static void drop_makers_descriptors(struct walk *w)
{
	const struct plan *p = w->plan;
	struct kept k = {.n = 0};
	unsigned next = keep_for_command(p, &k);
	bool needed[PLAN_SLOTS] = {false};

	needed[p->gate_slot] = true;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->stage != STAGE_FINAL)
			continue;
		if (s->slot >= 0)
			needed[s->slot] = true;
		if (s->kind == DO_HOOK_INSIDE && s->hook.out_slot >= 0)
			needed[s->hook.out_slot] = true;
		if (s->kind == DO_HOOK_INSIDE && s->hook.err_slot >= 0)
			needed[s->hook.err_slot] = true;
	}
	keep(&k, w->wire);
	for (int i = 0; i < PLAN_SLOTS; i++) {
		if (needed[i])
			keep(&k, w->slots[i]);
		else
			w->slots[i] = -EBADF;
	}
	w->root = w->proc = w->sys = w->pts = w->here = w->host_null = w->mask_dir = w->terminal = w->scratch = -EBADF;
	w->n_places = 0;
	close_others(&k, next);
}

/* Who holds the rights over what waits has them anyway; who waits for an ordinary user could not be joined by him. */
static bool is_hidden(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_GATE)
			return p->steps[i].flags & GATE_HIDDEN;
	return false;
}

/* Waits at the gate; from then on the one who opened it hears what happens. */
static int gate_wait(struct walk *w, struct nook_error *e)
{
	int listener = walk_slot(w, w->plan->gate_slot);
	int r, fd;

	if (!w->plan->init)
		drop_makers_descriptors(w);
	if (is_hidden(w->plan))
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	r = wire_send(w->wire, WIRE_READY, 0);
	if (r < 0)
		return err_num(e, STEP_WIRE, "parent", r);
	close_fd(&w->wire);
	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, STEP_WIRE, "gate");
	w->wire = fd;
	r = wire_send(fd, WIRE_READY, 0);
	return r < 0 ? err_num(e, STEP_WIRE, "gate", r) : 0;
}

static int child_build(struct walk *w, struct nook_error *e)
{
	TRY(walk_stage(w, STAGE_EARLY, e));
	if (w->waits)
		TRY(wait_go(w, e));
	TRY(walk_stage(w, STAGE_BUILD, e));
	if (has_hooks(w->plan)) {
		int r = wire_send(w->wire, WIRE_HOOKS, 0);

		if (r < 0)
			return err_num(e, STEP_WIRE, "parent", r);
		TRY(wait_go(w, e));
	}
	TRY(walk_stage(w, STAGE_ENTER, e));
	if (w->plan->gate == GATE_SOCKET)
		TRY(gate_wait(w, e));
	return 0;
}

static _Noreturn void fail(struct walk *w, const struct nook_error *e, int code)
{
	(void)wire_send_error(w->wire, e, code);
	_exit(125);
}

_Noreturn void child_run(struct walk *w)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r;

	signals_reset(w->ignored_signals);
	/* What is made in the container has the rights that are meant for it, whatever the caller's mask is. */
	if (w->mask != CHILD_UMASK)
		(void)umask(CHILD_UMASK);
	if (stays(w->plan))
		drop_callers_descriptors(w);
	else
		close_fd(&w->parents_wire);
	r = child_build(w, &e);
	if (r < 0)
		fail(w, &e, r);
	if (w->plan->init)
		reaper_split(w); /* returns in the command's process; pid 1 stays inside */
	r = walk_stage(w, STAGE_FINAL, &e);
	fail(w, &e, r < 0 ? r : -EINVAL);
}
