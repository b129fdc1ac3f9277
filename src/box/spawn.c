/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's side of shim.h: what runs in a program that uses libnook. */
#include "box/shim.h"

#include "base/clock.h"
#include "base/fd.h"
#include "sys/record.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- where the helper is -------------------------------------------------------------------------------------------- */

enum { PLACES = 3 };

/* Beside the library (a build directory), or where it is installed.  NOOK_SHIM comes first, but not for a program that has
 * more rights than who started it. */
static void helper_places(struct arena *a, const char *ret[PLACES + 1])
{
	const char *env = secure_getenv("NOOK_SHIM");
	const char *own = getauxval(AT_SECURE) ? NULL : box_own_dir(a);
	size_t n = 0;

	if (env && *env)
		ret[n++] = env;
	if (own)
		ret[n++] = arena_printf(a, "%s/nook-shim", own);
	ret[n++] = NOOK_LIBEXEC "/nook-shim";
	ret[n] = NULL;
}

/* ---- the start of the helper --------------------------------------------------------------------------------------- */

enum { STACK_SIZE = 32 << 10 };

struct start {
	int socket;
	const char *const *places;
	int error; /* of execve(2) */
};

/* Runs in the caller's memory while the calling thread waits: nothing but system calls.  All signals are blocked. */
static int start_helper(void *data)
{
	static char *const argv[] = {(char *)(uintptr_t) "nook-shim", NULL};
	static char *const env[] = {NULL};
	struct start *s = data;
	int error = ENOENT;

	if (s->socket == STDIN_FILENO ? fcntl(STDIN_FILENO, F_SETFD, 0) < 0 : dup2(s->socket, STDIN_FILENO) < 0) {
		s->error = errno;
		_exit(125);
	}
	/* Whatever else the caller has open, with or without close-on-exec, is none of the helper's. */
	(void)syscall(SYS_close_range, 1U, ~0U, 0U);
	for (const char *const *p = s->places; *p; p++) {
		(void)execve(*p, argv, env);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	s->error = error;
	_exit(125);
}

/* Returns a pidfd of the helper. */
static int helper_clone(struct start *s, struct nook_error *e)
{
	unsigned long all = ~0UL, before = 0;
	int pidfd = -EBADF;
	pid_t pid;
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return err_sys(e, STEP_MEMORY, "stack of nook-shim");
	/* Not pthread_sigmask(3), which leaves out glibc's own signals: no handler may run in the child, it has our memory. */
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	pid = clone(start_helper, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, s, &pidfd);
	if (pid < 0)
		s->error = errno;
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	(void)munmap(stack, STACK_SIZE);
	if (s->error && pid > 0) {
		(void)waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED);
		close_fd(&pidfd);
	}
	return s->error ? err_num(e, STEP_SPAWN, s->places[0], s->error) : pidfd;
}

/* ---- the request ---------------------------------------------------------------------------------------------------- */

/* The namespaces of a box that a command joins, by ns_kind; -EBADF where it is the host's. */
struct joined {
	int fds[NS_COUNT];
};

static int plan_memfd(const struct plan *p, struct nook_error *e)
{
	auto_close int fd = memfd_create("nook-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fd_write(fd, p, p->size) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys(e, STEP_SPAWN, "plan");
	return take_fd(&fd);
}

static int text_memfd(const char *name, const char *text, struct nook_error *e)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || fd_write(fd, text, strlen(text)) < 0)
		return err_sys(e, STEP_SPAWN, name);
	return take_fd(&fd);
}

static int null_open(struct nook_error *e)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	return fd < 0 ? err_sys(e, STEP_STDIO, "/dev/null") : fd;
}

/* 0, 1 and 2 are the caller's, or nothing where the caller has none, unless the box says otherwise. */
static int send_request(int control, const struct nook_box *b, const struct box_plan *plan, const struct joined *j, struct nook_error *e)
{
	struct shim_request q = {.size = sizeof(q), .bounds = plan->bounds, .network = plan->network};
	auto_close int memfd = TRY(plan_memfd(plan->plan, e));
	auto_close int null = -EBADF;
	auto_close int hosts = -EBADF;
	int fds[SHIM_FDS_MAX + 2] = {memfd};
	int r;

	for (size_t i = 0; i < b->n_fds; i++) {
		fds[1 + q.n_fds] = b->fds[i].fd;
		q.targets[q.n_fds++] = b->fds[i].as;
	}
	for (int as = 0; as < 3; as++) {
		bool given = false;

		for (size_t i = 0; i < b->n_fds; i++)
			given = given || b->fds[i].as == as;
		if (given)
			continue;
		if (fcntl(as, F_GETFD) < 0 && null < 0)
			null = TRY(null_open(e));
		fds[1 + q.n_fds] = fcntl(as, F_GETFD) < 0 ? null : as;
		q.targets[q.n_fds++] = as;
	}
	for (int kind = 0; j && kind < NS_COUNT; kind++) {
		if (j->fds[kind] < 0)
			continue;
		fds[1 + q.n_fds] = j->fds[kind];
		q.targets[q.n_fds++] = SHIM_NS_FIRST + kind;
	}
	if (plan->hosts[0]) {
		hosts = TRY(text_memfd("nook-hosts", plan->hosts, e));
		fds[1 + q.n_fds] = hosts;
		q.has_hosts = 1;
	}
	r = record_send(control, &q, sizeof(q), fds, 1 + q.n_fds + q.has_hosts);
	return r < 0 ? err_num(e, STEP_SPAWN, "nook-shim", r) : 0;
}

static void reap(struct nook_proc *p)
{
	/* ECHILD: somebody else has waited for it, or SIGCHLD is ignored. */
	while (p->helper >= 0 && waitid(P_PIDFD, (id_t)p->helper, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
		;
	close_fd(&p->helper);
}

static int ended(struct nook_proc *p, const struct nook_result *r)
{
	p->ended = true;
	p->result = *r;
	reap(p);
	return 0;
}

static int receive(struct nook_proc *p, struct shim_reply *ret, int *ret_fd, struct nook_error *e)
{
	size_t n_fds = ret_fd ? 1 : 0;
	ssize_t n = record_receive(p->control, ret, sizeof(*ret), ret_fd, &n_fds, 0);

	if (n < 0)
		return err_num(e, STEP_SPAWN, "nook-shim", (int)n);
	if (n == 0)
		return err_why(e, STEP_SPAWN, "nook-shim", EPIPE, "it has ended before the box");
	if ((size_t)n < offsetof(struct shim_reply, error) || ret->kind > SHIM_JOIN ||
		(size_t)n != shim_reply_size((enum shim_kind)ret->kind))
		return err_num(e, STEP_SPAWN, "nook-shim", EPROTO);
	return 0;
}

static int started(struct nook_proc *p, struct nook_error *e)
{
	struct shim_reply reply;

	p->pidfd = -EBADF;
	TRY(receive(p, &reply, &p->pidfd, e));
	if (reply.kind == SHIM_FAILED) {
		if (e)
			*e = reply.error;
		return reply.number < 0 ? reply.number : -EIO;
	}
	if (reply.kind != SHIM_STARTED || p->pidfd < 0)
		return err_num(e, STEP_SPAWN, "nook-shim", EPROTO);
	p->pid = reply.number;
	return 0;
}

static int spawn_planned(const struct nook_box *b, const struct box_plan *plan, const struct joined *j, struct arena *a, struct nook_proc *p,
	struct nook_error *e)
{
	const char *places[PLACES + 1];
	struct start s = {.places = places};
	int pair[2];

	helper_places(a, places);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_SPAWN, "nook-shim");
	p->control = pair[0];
	auto_close int theirs = pair[1];

	TRY(send_request(p->control, b, plan, j, e));
	s.socket = theirs;
	p->helper = TRY(helper_clone(&s, e));
	close_fd(&theirs);
	return started(p, e);
}

static struct nook_proc *proc_new(void)
{
	struct nook_proc *p = xcalloc(1, sizeof(*p));

	p->control = p->pidfd = p->helper = -EBADF;
	p->ended = true; /* until it has started */
	return p;
}

int box_spawn(const struct nook_box *b, const char *const *argv, struct nook_proc **ret, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(box_proc_free) struct nook_proc *p = proc_new();
	struct box_plan plan = {0};

	TRY(box_compile(b, argv, a, &plan, e));
	p->plan = plan.plan;
	TRY(spawn_planned(b, &plan, NULL, a, p, e));
	p->ended = false;
	*ret = take_ptr(&p);
	return 0;
}

/* ---- a command more ------------------------------------------------------------------------------------------------ */

static int ask_namespaces(struct nook_proc *p, struct joined *ret, struct nook_error *e)
{
	const uint32_t ask = SHIM_JOIN;
	struct shim_reply reply;
	int fds[NS_COUNT], have = 0;
	size_t n_fds = NS_COUNT;
	ssize_t n;

	if (record_send(p->control, &ask, sizeof(ask), NULL, 0) < 0)
		return err_why(e, STEP_CONTAINER, "box", ESRCH, "it has ended");
	n = record_receive(p->control, &reply, sizeof(reply), fds, &n_fds, 0);
	if (n >= (ssize_t)offsetof(struct shim_reply, error) && reply.kind == SHIM_ENDED && (size_t)n == shim_reply_size(SHIM_ENDED)) {
		(void)ended(p, &reply.result);
		return err_why(e, STEP_CONTAINER, "box", ESRCH, "it has ended");
	}
	for (int kind = 0; kind < NS_COUNT; kind++)
		ret->fds[kind] = -EBADF;
	if (n == (ssize_t)shim_reply_size(SHIM_JOIN) && reply.kind == SHIM_JOIN)
		for (int kind = 0; kind < NS_COUNT && have < (int)n_fds; kind++)
			if (reply.number & 1 << kind)
				ret->fds[kind] = fds[have++];
	/* What does not belong to an answer is closed. */
	for (size_t i = (size_t)have; i < n_fds; i++)
		(void)close(fds[i]);
	return have ? 0 : err_num(e, STEP_SPAWN, "nook-shim", EPROTO);
}

static int exec_joined(struct nook_proc *p, const char *const *argv, const struct joined *j, struct nook_proc **ret, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(box_proc_free) struct nook_proc *more = proc_new();
	const struct spec_process process = {.argv = argv, .die_with_parent = true};
	const char *files[NS_COUNT] = {NULL};
	struct plan_join ask = {.of = p->plan, .process = &process, .ns_files = files};
	const struct nook_box plain = {.arena = a};
	struct box_plan plan = {.hosts = ""};
	struct plan_host host;
	int r;

	TRY(plan_host_probe(&host, e));
	ask.user_last = host.privileged;
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (j->fds[kind] >= 0)
			files[kind] = arena_printf(a, "/proc/self/fd/%d", SHIM_NS_FIRST + kind);
	TRY(plan_build_join(a, &ask, &plan.plan, e));
	r = spawn_planned(&plain, &plan, j, a, more, e);
	plan_free(plan.plan);
	if (r < 0)
		return r;
	more->ended = false;
	*ret = take_ptr(&more);
	return 0;
}

int box_proc_exec(struct nook_proc *p, const char *const *argv, struct nook_proc **ret, struct nook_error *e)
{
	struct joined j;
	int r;

	if (!p->plan)
		return err_why(e, STEP_CONTAINER, "box", EINVAL, "this is a command that has joined a box: ask the box itself");
	if (p->ended)
		return err_why(e, STEP_CONTAINER, "box", ESRCH, "it has ended");
	TRY(ask_namespaces(p, &j, e));
	r = exec_joined(p, argv, &j, ret, e);
	for (int kind = 0; kind < NS_COUNT; kind++)
		close_fd(&j.fds[kind]);
	return r;
}

/* ---- while it runs -------------------------------------------------------------------------------------------------- */

/* Copies what the caller's version of the struct has room for. */
static void result_give(const struct nook_result *r, struct nook_result *ret)
{
	uint32_t size = ret->size && ret->size < sizeof(*r) ? ret->size : sizeof(*r);

	memcpy(ret, r, size);
	ret->size = size;
}

int box_proc_wait(struct nook_proc *p, int timeout_ms, struct nook_result *ret, struct nook_error *e)
{
	struct pollfd poller = {p->control, POLLIN, 0};
	struct shim_reply reply;
	int64_t end = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;

	while (!p->ended) {
		int64_t left = end < 0 ? -1 : end - clock_ms();
		int n = poll(&poller, 1, end < 0 ? -1 : left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return err_sys(e, STEP_WAIT, NULL);
		if (n == 0)
			return err_num(e, STEP_WAIT, NULL, ETIMEDOUT);
		if (n < 0)
			continue;
		TRY(receive(p, &reply, NULL, e));
		if (reply.kind == SHIM_ENDED)
			(void)ended(p, &reply.result);
	}
	if (ret)
		result_give(&p->result, ret);
	return 0;
}

int box_proc_stats(struct nook_proc *p, struct nook_result *ret, struct nook_error *e)
{
	const uint32_t ask = SHIM_STATS;
	struct shim_reply reply = {.kind = SHIM_ENDED, .result = p->result};

	if (!p->ended && record_send(p->control, &ask, sizeof(ask), NULL, 0) == 0)
		TRY(receive(p, &reply, NULL, e));
	else if (!p->ended)
		return box_proc_wait(p, -1, ret, e); /* it is just ending */
	if (reply.kind == SHIM_ENDED)
		(void)ended(p, &reply.result);
	else if (reply.kind != SHIM_STATS)
		return err_num(e, STEP_SPAWN, "nook-shim", EPROTO);
	result_give(&reply.result, ret);
	return 0;
}

int box_proc_kill(struct nook_proc *p, int sig, struct nook_error *e)
{
	if (syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0) < 0)
		return err_sys(e, STEP_SIGNAL, NULL);
	return 0;
}

void box_proc_free(struct nook_proc *p)
{
	if (!p)
		return;
	if (!p->ended) {
		(void)box_proc_kill(p, SIGKILL, NULL);
		(void)box_proc_wait(p, -1, NULL, NULL);
	}
	close_fd(&p->control);
	close_fd(&p->pidfd);
	reap(p);
	plan_free(p->plan);
	free(p);
}
