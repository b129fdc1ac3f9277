/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/reaper.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Nothing of the container may look into pid 1 or steer it: no descriptors, no rights but one, not dumpable.  The one is to
 * send signals to a command that has become another user, and to end whom it left behind. */
static bool harden(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct kill_only[2] = {
		{.effective = 1U << CAP_KILL, .permitted = 1U << CAP_KILL},
	};

	(void)prctl(PR_SET_NAME, "nook-init", 0, 0, 0);
	(void)syscall(SYS_close_range, 0U, ~0U, 0U);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, kill_only) == 0;
}

/* Signals that the kernel sends about pid 1 itself are not for the command. */
static bool is_forwarded(int sig)
{
	return sig != SIGCHLD && sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE && sig != SIGABRT &&
	       sig != SIGTRAP && sig != SIGSYS;
}

/* Whoever is left ends with the command, and is waited for: what they used then counts as pid 1's. */
static void end_all(void)
{
	/* Without a pid namespace "all" would be everybody on this machine. */
	if (getpid() != 1)
		return;
	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

static _Noreturn void end_with(int status, int *shared)
{
	end_all();
	if (shared)
		*shared = status;
	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	/* pid 1 cannot die of most signals, so the number travels in the exit status, as shells do it. */
	_exit(128 + WTERMSIG(status));
}

static _Noreturn void reaper_loop(pid_t command, int *shared)
{
	sigset_t all;

	(void)sigfillset(&all);
	for (;;) {
		siginfo_t info;
		int sig = sigwaitinfo(&all, &info);
		int status;
		pid_t pid;

		if (sig < 0)
			continue;
		if (is_forwarded(sig))
			(void)kill(command, sig);
		/* Nothing but the lack of children may end this early: the signal does not come again. */
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno != ECHILD))
			if (pid == command)
				end_with(status, shared);
	}
}

void reaper_split(struct walk *w)
{
	sigset_t all, before;
	pid_t pid;

	/* Blocked before the fork, so that no signal is lost in between; the command's mask is restored. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	/* Before the fork as well: the command may be faster than what comes after it.  execve(2) makes it dumpable again. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	if (pid < 0) {
		struct nook_error e = NOOK_ERROR_INIT;

		(void)wire_send_error(w->wire, &e, err_sys(&e, STEP_CLONE, "init"));
		_exit(125);
	}
	/* With rights left over it would be worth an attack: then there is no container. */
	if (!harden()) {
		(void)kill(pid, SIGKILL);
		_exit(125);
	}
	reaper_loop(pid, w->status);
}
