/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One poll loop over a signalfd, the pidfd and, with a terminal, its two ends.  Output that the terminal still holds when
 * the process has ended is read to the end of file; a reader that does not read stops the relay, not the processor.
 */
#include "runtime/supervise.h"

#include "runtime/relay.h"
#include "runtime/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM, SIGWINCH, SIGIO, SIGPWR};

static void set_of_forwarded(sigset_t *set)
{
	(void)sigemptyset(set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		(void)sigaddset(set, forwarded[i]);
}

void supervise_begin(sigset_t *before)
{
	sigset_t set;

	set_of_forwarded(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, before);
}

void supervise_hold_pipe(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int supervise_signals(struct nook_error *e)
{
	sigset_t set;
	int fd;

	set_of_forwarded(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, STEP_SIGNAL, NULL) : fd;
}

void supervise_forward(int signals, const struct launched *l, const struct terminal *t)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			if (t)
				terminal_resize(t);
			continue;
		}
		(void)syscall(SYS_pidfd_send_signal, l->pidfd, (int)info.ssi_signo, NULL, 0);
	}
}

static int collect(struct launched *l, struct nook_error *e)
{
	siginfo_t info = {0};
	int r;

	do
		r = waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, STEP_WAIT, NULL);
	l->pid = 0;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int loop_plain(struct launched *l, int signals)
{
	for (;;) {
		struct pollfd p[] = {{l->pidfd, POLLIN, 0}, {signals, POLLIN, 0}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			supervise_forward(signals, l, NULL);
	}
}

static int loop_terminal(struct launched *l, int signals, const struct terminal *t)
{
	static struct relay in, out; /* 32 KiB: touched only by who has a terminal */
	bool ended = false;

	in = (struct relay){.from = STDIN_FILENO, .to = t->master};
	out = (struct relay){.from = t->master, .to = STDOUT_FILENO};
	(void)fcntl(t->master, F_SETFL, O_NONBLOCK);
	while (!ended || !out.done || relay_is_full(&out)) {
		struct pollfd p[] = {{ended ? -1 : l->pidfd, POLLIN, 0}, {signals, POLLIN, 0}, {0}, {0}, {0}, {0}};

		relay_poll(&in, p + 2);
		relay_poll(&out, p + 4);
		if (poll(p, 6, ended ? 0 : -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			supervise_forward(signals, l, t);
		relay_step(&in, p + 2);
		if (ended && !p[4].revents && !relay_is_full(&out))
			out.done = true; /* another process keeps the terminal open: what it says later is not waited for */
		else if (ended && !p[5].revents && relay_is_full(&out) && poll(&(struct pollfd){out.to, POLLOUT, 0}, 1, -1) < 0 &&
			errno != EINTR)
			return -errno;
		relay_step(&out, p + 4);
		if (p[0].revents)
			ended = true;
	}
	return 0;
}

int supervise(struct launched *l, struct nook_error *e)
{
	struct terminal terminal = {.master = -EBADF};
	int signals = TRY(supervise_signals(e)); /* open until the program ends, which is about to */
	int r;

	if (l->console >= 0)
		TRY(terminal_join(&terminal, l->console, e));
	r = l->console >= 0 ? loop_terminal(l, signals, &terminal) : loop_plain(l, signals);
	terminal_restore(&terminal);
	if (r < 0)
		return err_num(e, STEP_WAIT, NULL, r);
	return collect(l, e);
}

int supervise_status(const struct nook_error *e, int code)
{
	if (e->step != STEP_EXEC)
		return 125;
	return code == -ENOENT || code == -ENOTDIR ? 127 : 126;
}
