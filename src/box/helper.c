/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/helper.h"

#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { END_MS = 5000 };

int box_helper_start(const struct spawn_start *s, enum step_id step, struct box_helper *ret, struct nook_error *e)
{
	ret->pid = spawn_start(s, e);
	if (ret->pid < 0) {
		int r = ret->pid;

		ret->pid = 0;
		return r;
	}
	ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
	return ret->pidfd < 0 ? err_sys(e, step, s->argv[0]) : 0;
}

int box_helper_wait_byte(const struct box_helper *h, int pipe, int timeout_ms)
{
	struct pollfd p[] = {{pipe, POLLIN, 0}, {h->pidfd, POLLIN, 0}};
	char byte;
	int n;

	do
		n = poll(p, 2, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	return n > 0 && p[0].revents && fd_read_once(pipe, &byte, 1) == 1 ? 0 : -EPIPE;
}

void box_helper_end(struct box_helper *h)
{
	struct pollfd p = {h->pidfd, POLLIN, 0};

	if (h->pid <= 0)
		return;
	/* It ends by itself when nobody gives it orders any more, after those that it has started. */
	if (h->control >= 0) {
		(void)shutdown(h->control, SHUT_RDWR);
		while (poll(&p, 1, END_MS) < 0 && errno == EINTR)
			;
	}
	(void)kill(h->pid, SIGKILL); /* a child of ours that nobody has waited for: it is no other */
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close_fd(&h->control);
	close_fd(&h->pidfd);
	*h = (struct box_helper)BOX_HELPER_NONE;
}
