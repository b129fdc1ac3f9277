/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One poll loop over a signalfd, the pidfd and, with a terminal, its two ends.  Output that the terminal still holds when
 * the process has ended is read to the end of file; a reader that does not read stops the relay, not the processor.
 */
#include "runtime/supervise.h"

#include "runtime/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM, SIGWINCH, SIGIO, SIGPWR};

enum { RELAY_SIZE = 16384 };

/* Bytes read from one end and not yet written to the other. */
struct relay {
	int from, to;
	size_t start, end;
	bool done; /* nothing more will come */
	char data[RELAY_SIZE];
};

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
	(void)sigprocmask(SIG_BLOCK, &set, before);
}

static void forward_signals(int signals, const struct launched *l, const struct terminal *t)
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

static bool wants_read(const struct relay *r)
{
	return !r->done && r->start == r->end;
}

static void relay_read(struct relay *r)
{
	ssize_t n = read(r->from, r->data, sizeof(r->data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* EIO: the last slave of the terminal is closed. */
	if (n <= 0) {
		r->done = true;
		return;
	}
	r->start = 0;
	r->end = (size_t)n;
}

static void relay_write(struct relay *r)
{
	ssize_t n = write(r->to, r->data + r->start, r->end - r->start);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		/* Nobody takes it any more: read on and throw away, so that the command does not block. */
		r->start = r->end;
		return;
	}
	r->start += (size_t)n;
}

static short poll_events(const struct relay *r, bool reading)
{
	if (reading)
		return wants_read(r) ? POLLIN : 0;
	return r->start < r->end ? POLLOUT : 0;
}

static int entry_fd(int fd, short events)
{
	return events ? fd : -1;
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
			forward_signals(signals, l, NULL);
	}
}

static int loop_terminal(struct launched *l, int signals, const struct terminal *t)
{
	static struct relay in, out; /* 32 KiB: touched only by who has a terminal */
	bool ended = false;

	in = (struct relay){.from = STDIN_FILENO, .to = t->master};
	out = (struct relay){.from = t->master, .to = STDOUT_FILENO};
	(void)fcntl(t->master, F_SETFL, O_NONBLOCK);
	while (!ended || !out.done || out.start < out.end) {
		struct pollfd p[] = {
			{ended ? -1 : l->pidfd, POLLIN, 0},
			{signals, POLLIN, 0},
			{entry_fd(in.from, poll_events(&in, true)), POLLIN, 0},
			{entry_fd(in.to, poll_events(&in, false)), POLLOUT, 0},
			{entry_fd(out.from, poll_events(&out, true)), POLLIN, 0},
			{entry_fd(out.to, poll_events(&out, false)), POLLOUT, 0},
		};

		if (poll(p, 6, ended ? 0 : -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			forward_signals(signals, l, t);
		if (p[2].revents)
			relay_read(&in);
		if (p[3].revents)
			relay_write(&in);
		if (p[4].revents)
			relay_read(&out);
		else if (ended && wants_read(&out))
			out.done = true; /* another process keeps the terminal open: what it says later is not waited for */
		if (p[5].revents)
			relay_write(&out);
		else if (ended && out.start < out.end && poll(&(struct pollfd){out.to, POLLOUT, 0}, 1, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			ended = true;
	}
	return 0;
}

int supervise(struct launched *l, struct nook_error *e)
{
	struct terminal terminal = {.master = -EBADF};
	sigset_t set;
	int r;

	set_of_forwarded(&set);
	auto_close int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (signals < 0)
		return err_sys(e, STEP_SIGNAL, NULL);
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
