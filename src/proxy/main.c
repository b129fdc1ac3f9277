/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook-proxy: the small process between a box and the network; see box/proxy_wire.h.  Not for people: descriptor 0 is a
 * socket.  What it does comes as the first order; by then it has no rights, and before it sees a byte of the box it has no
 * files and few system calls either.
 */
#include "base/fd.h"
#include "base/text.h"
#include "proxy/engine.h"
#include "proxy/resolver.h"
#include "security/confine.h"
#include "security/seccomp.h"
#include "sys/record.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { CONTROL = STDIN_FILENO, RULES_MAX = 1 << 20, FDS_MAX = PUBLISH_MAX + 2, FILES_WANTED = 4096, MEMORY_MAX = 512 << 20 };

struct order {
	struct proxy_order order;
	int fds[FDS_MAX];
	size_t n_fds;
};

#ifdef UNDER_SANITIZER
/* It looks for leaks by tracing the process, which does not let itself be traced. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

/* Bytes, connections, time, memory, leaving. */
static const char *const calls[] = {
	"accept4", "brk", "clock_gettime", "close", "connect", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "exit",
	"exit_group", "fcntl", "futex", "getpid", "getrlimit", "getsockopt", "gettid", "madvise", "mmap", "mprotect", "mremap",
	"munmap", "poll", "ppoll", "prlimit64", "read", "recvfrom", "recvmsg", "restart_syscall", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "sendmsg", "sendto", "setsockopt", "shutdown", "tgkill", "wait4", "write", "writev", NULL,
};
static const char *const calls_socket[] = {"socket", NULL};
static const char *const calls_guard[] = {"pidfd_send_signal", NULL};

static int limit_memory(struct nook_error *e)
{
#ifdef UNDER_SANITIZER
	return 0;
#else
	return confine_limit(RLIMIT_DATA, MEMORY_MAX, e);
#endif
}

/* Who speaks to the box: no files, and sockets of the internet alone. */
static int shut_in(struct nook_error *e)
{
	struct seccomp_arg four = {0, SECCOMP_OP_EQ, AF_INET, 0}, six = {0, SECCOMP_OP_EQ, AF_INET6, 0};
	struct seccomp_rule rules[] = {
		{.names = calls, .action = SECCOMP_RET_ALLOW},
		{.names = calls_socket, .action = SECCOMP_RET_ALLOW, .args = &four, .n_args = 1},
		{.names = calls_socket, .action = SECCOMP_RET_ALLOW, .args = &six, .n_args = 1},
	};

	TRY(limit_memory(e));
	TRY(confine_files(e));
	return confine_calls(rules, sizeof(rules) / sizeof(rules[0]), e);
}

/* The guard's one task is to signal a process outside. */
static int shut_in_guard(struct nook_error *e)
{
	struct seccomp_rule rules[] = {
		{.names = calls, .action = SECCOMP_RET_ALLOW},
		{.names = calls_guard, .action = SECCOMP_RET_ALLOW},
	};

	TRY(limit_memory(e));
	return confine_calls(rules, sizeof(rules) / sizeof(rules[0]), e);
}

static int report(enum proxy_report_kind kind, int code, const struct nook_error *error)
{
	struct proxy_report r = {.kind = kind, .code = code};

	if (error)
		r.error = *error;
	return record_send(CONTROL, &r, sizeof(r), NULL, 0);
}

static int receive(struct order *o, struct nook_error *e)
{
	ssize_t n;

	o->n_fds = FDS_MAX;
	n = record_receive(CONTROL, &o->order, sizeof(o->order), o->fds, &o->n_fds, 0);
	if (n < 0)
		return err_num(e, STEP_NET, "order", (int)n);
	if (n != sizeof(o->order) || o->order.size != sizeof(o->order))
		return err_why(e, STEP_NET, "order", EPROTO, "nook-proxy is of another version than nook");
	return 0;
}

static void more_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= FILES_WANTED)
		return;
	l.rlim_cur = l.rlim_max < FILES_WANTED ? l.rlim_max : FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* ---- a proxy ---------------------------------------------------------------------------------------------------------- */

/* One host a line. */
static int read_rules(int fd, struct arena *a, struct host **rules, size_t *n, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char name[32], *rest = NULL;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	TRY(file_read(AT_FDCWD, name, RULES_MAX, &text, e));
	for (char *line = text.len ? strtok_r(text.data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		const char *why = NULL;

		if (host_parse_rule(line, arena_push(a, rules, n), &why) < 0)
			return err_why(e, STEP_NET, line, EINVAL, why);
	}
	return 0;
}

static int run_proxy(const struct order *o, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct engine_options options = {.control = CONTROL, .resolver = -EBADF, .learn = o->order.learn};
	struct host *rules = NULL;
	int r;

	if (o->n_fds != 1)
		return err_num(e, STEP_NET, "order", EPROTO);
	TRY(read_rules(o->fds[0], a, &rules, &options.n_rules, e));
	(void)close(o->fds[0]);
	TRY(resolver_start(&options.resolver, e));
	options.rules = rules;
	options.timeout_ms = o->order.timeout_ms ? o->order.timeout_ms : ENGINE_TIMEOUT_MS;
	TRY(shut_in(e));
	(void)report(PROXY_READY, 0, NULL);
	r = engine_run(&options, e);
	resolver_wait();
	return r;
}

/* ---- a publisher ------------------------------------------------------------------------------------------------------ */

static int run_publisher(const struct order *o, struct nook_error *e)
{
	size_t first = o->order.has_userns ? 2 : 1;
	struct engine_options options = {.control = CONTROL, .resolver = -EBADF, .timeout_ms = ENGINE_TIMEOUT_MS};

	if (o->n_fds != first + o->order.n_ports || !o->order.n_ports || o->order.n_ports > PUBLISH_MAX)
		return err_num(e, STEP_NET, "order", EPROTO);
	if (o->order.has_userns && setns(o->fds[0], CLONE_NEWUSER) < 0)
		return err_sys(e, STEP_NAMESPACE, "user namespace of the box");
	if (setns(o->fds[first - 1], CLONE_NEWNET) < 0)
		return err_sys(e, STEP_NAMESPACE, "network of the box");
	for (size_t i = 0; i < first; i++)
		(void)close(o->fds[i]);
	options.listeners = o->fds + first;
	options.ports = o->order.ports;
	options.n_listeners = o->order.n_ports;
	TRY(confine_start(0, e));
	TRY(shut_in(e));
	(void)report(PROXY_READY, 0, NULL);
	return engine_run(&options, e);
}

/* ---- a guard ---------------------------------------------------------------------------------------------------------- */

static int run_guard(const struct order *o, struct nook_error *e)
{
	struct pollfd p[] = {{CONTROL, POLLIN, 0}, {o->n_fds == 1 ? o->fds[0] : -1, POLLIN, 0}};

	if (o->n_fds != 1)
		return err_num(e, STEP_NET, "order", EPROTO);
	TRY(shut_in_guard(e));
	(void)report(PROXY_READY, 0, NULL);
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	(void)syscall(SYS_pidfd_send_signal, o->fds[0], SIGKILL, NULL, 0);
	return 0;
}

/* What was inherited is none of ours.  Signals of the terminal are for the command. */
static int start(struct order *o, struct nook_error *e)
{
	(void)setsid();
	(void)signal(SIGPIPE, SIG_IGN);
	if (syscall(SYS_close_range, 3U, ~0U, 0U) < 0)
		return err_sys(e, STEP_FDS, "jail");
	if (chdir("/") < 0)
		return err_sys(e, STEP_CWD, "/");
	more_files();
	return receive(o, e);
}

static int run(struct nook_error *e)
{
	struct order o = {0};

	TRY(start(&o, e));
	/* To enter the box's network takes rights, which are given up right behind it. */
	if (o.order.kind == PROXY_PUBLISH)
		return run_publisher(&o, e);
	TRY(confine_start(0, e));
	/* Who owns the process to be guarded may signal it without any rights. */
	if (o.order.kind == PROXY_GUARD)
		return run_guard(&o, e);
	if (o.order.kind == PROXY_RULES)
		return run_proxy(&o, e);
	return err_num(e, STEP_NET, "order", EPROTO);
}

int main(void)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct stat st;
	int r;

	if (fstat(CONTROL, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		(void)fputs("nook-proxy: this is a part of nook that nook box starts\n", stderr);
		return 125;
	}
	r = run(&e);
	if (r < 0)
		(void)report(PROXY_FAILED, r, &e);
	return r < 0 ? 125 : 0;
}
