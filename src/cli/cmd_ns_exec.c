/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "command/command.h"
#include "cli/ns_pins.h"
#include "sys/pid.h"
#include "sys/procfd.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct options {
	bool user, mnt, pid, net, uts, ipc, cgroup, time;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "user", NULL, OPT_FLAG, AT(user), "join the user namespace, as its user 0 where it has one"},
	{0, "mnt", NULL, OPT_FLAG, AT(mnt), "join the mount namespace; the working directory is its root"},
	{0, "pid", NULL, OPT_FLAG, AT(pid), "join the pid namespace"},
	{0, "net", NULL, OPT_FLAG, AT(net), "join the network namespace"},
	{0, "uts", NULL, OPT_FLAG, AT(uts), "join the namespace of host name and domain name"},
	{0, "ipc", NULL, OPT_FLAG, AT(ipc), "join the ipc namespace"},
	{0, "cgroup", NULL, OPT_FLAG, AT(cgroup), "join the cgroup namespace"},
	{0, "time", NULL, OPT_FLAG, AT(time), "join the time namespace"},
	{0},
};

static int asked_flags(const struct options *o)
{
	return (o->user ? CLONE_NEWUSER : 0) | (o->mnt ? CLONE_NEWNS : 0) | (o->pid ? CLONE_NEWPID : 0) |
	       (o->net ? CLONE_NEWNET : 0) | (o->uts ? CLONE_NEWUTS : 0) | (o->ipc ? CLONE_NEWIPC : 0) |
	       (o->cgroup ? CLONE_NEWCGROUP : 0) | (o->time ? CLONE_NEWTIME : 0);
}

/* The namespaces to join, by index of ns_types; -EBADF: not this one. */
struct wanted {
	int fds[NS_TYPES];
};

static void wanted_close(struct wanted *w)
{
	for (size_t i = 0; i < NS_TYPES; i++)
		close_fd(&w->fds[i]);
}

static bool is_same(int fd, int proc, const struct ns_type *type)
{
	auto_free char *name = xasprintf("self/ns/%s", type->name);
	struct stat theirs, ours;

	return fstat(fd, &theirs) == 0 && fstatat(proc, name, &ours, 0) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

/* Opens DIR/TYPE for each type of FLAGS (0: all that are there), leaving out those that we are in. */
static int open_wanted(const char *dir, int flags, int proc, struct wanted *w, struct nook_error *e)
{
	bool any = false;

	for (size_t i = 0; i < NS_TYPES; i++) {
		auto_free char *name = xasprintf("%s/%s", dir, ns_types[i].name);
		int fd;

		if (flags && !(flags & ns_types[i].flag))
			continue;
		fd = ns_open(AT_FDCWD, name, e);
		if (fd == -ENOENT && !flags)
			continue;
		if (fd < 0)
			return fd;
		any = true;
		if (is_same(fd, proc, &ns_types[i]))
			(void)close(fd);
		else
			w->fds[i] = fd;
	}
	return any ? 0 : err_why(e, STEP_NAMESPACE, dir, ENOENT, "there are no namespaces here");
}

static int open_target(const struct cli *c, const char *target, int flags, int proc, struct wanted *w,
                       struct nook_error *e)
{
	const char *path = NULL;
	struct stat st;
	uint32_t pid = 0;

	TRY(ns_pins_path(c->arena, c->run, target, &path, e));
	if (lstat(path, &st) == 0)
		return open_wanted(path, flags, proc, w, e);
	if (text_u32(target, &pid) < 0 || !pid)
		return err_why(e, STEP_NAMESPACE, target, ENOENT, "there are no kept namespaces of this name, and it is no pid");
	/* Held while its namespaces are opened, so that they are all of the same process. */
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return err_sys(e, STEP_NAMESPACE, target);
	TRY(open_wanted(arena_printf(c->arena, "/proc/%u/ns", pid), flags, proc, w, e));
	return pid_has_ended(pidfd) ? err_num(e, STEP_NAMESPACE, target, ESRCH) : 0;
}

/* What the caller may join as it is comes first; the rest needs the rights that the user namespace gives. */
static int join(struct wanted *w, struct nook_error *e)
{
	for (int round = 0; round < 2; round++) {
		for (size_t n = 0; n < NS_TYPES; n++) {
			size_t i = round ? n : NS_TYPES - 1 - n; /* user is the last of the first round */

			if (w->fds[i] < 0)
				continue;
			if (setns(w->fds[i], ns_types[i].flag) == 0)
				close_fd(&w->fds[i]);
			else if (round || errno != EPERM)
				return err_sys(e, STEP_NAMESPACE, ns_types[i].name);
		}
	}
	return 0;
}

static int become_root(struct nook_error *e)
{
	/* EPERM: setgroups(2) is denied there; EINVAL: the namespace has no id 0, so there is nobody to become. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(e, STEP_GROUPS, NULL);
	if ((setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) && errno != EINVAL)
		return err_sys(e, STEP_USER, "0");
	return 0;
}

/* Hands signals on to the child until it ends: its exit status. */
static int wait_for(pid_t pid, const sigset_t *signals, struct nook_error *e)
{
	auto_close int pidfd = TRY(pid_open_child(pid, e));
	auto_close int signal_fd = signalfd(-1, signals, SFD_CLOEXEC);
	struct pollfd p[] = {{pidfd, POLLIN, 0}, {signal_fd, POLLIN, 0}};

	if (signal_fd < 0)
		return err_sys(e, STEP_SIGNAL, "signalfd");
	for (;;) {
		struct signalfd_siginfo info;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, STEP_WAIT, NULL);
		if (p[0].revents)
			return pid_reap(pidfd, e);
		/* The terminal sends SIGINT and SIGQUIT to the child itself. */
		if (p[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info) && info.ssi_code != SI_KERNEL)
			(void)pid_signal(pidfd, (int)info.ssi_signo, NULL);
	}
}

static int exec_command(char **argv, struct nook_error *e)
{
	(void)execvp(argv[0], argv);
	return err_sys(e, STEP_EXEC, argv[0]);
}

/* Only a child is in a pid namespace that was joined. */
static int exec_in_child(char **argv, struct nook_error *e)
{
	sigset_t handed_on, before;
	pid_t pid;
	int r;

	(void)sigemptyset(&handed_on);
	for (size_t i = 0; i < 6; i++)
		(void)sigaddset(&handed_on, (const int[]){SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}[i]);
	(void)sigprocmask(SIG_BLOCK, &handed_on, &before);
	pid = fork();
	if (pid < 0)
		return err_sys(e, STEP_CLONE, NULL);
	if (pid > 0)
		r = wait_for(pid, &handed_on, e);
	else
		r = sigprocmask(SIG_SETMASK, &before, NULL) < 0 ? err_sys(e, STEP_SIGNAL, NULL) : exec_command(argv, e);
	return r;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO_VALUE(wanted_close) struct wanted w = {{-EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF}};
	auto_close int proc = TRY(procfd_open(e));
	const struct options *o = options;
	bool joins_user, joins_pid;

	TRY(open_target(c, argv[0], asked_flags(o), proc, &w, e));
	joins_user = w.fds[ns_type_by_flag(CLONE_NEWUSER) - ns_types] >= 0;
	joins_pid = w.fds[ns_type_by_flag(CLONE_NEWPID) - ns_types] >= 0;
	TRY(join(&w, e));
	if (joins_user)
		TRY(become_root(e));
	return joins_pid ? exec_in_child(argv + 1, e) : exec_command(argv + 1, e);
}

const struct command cmd_ns_exec = {
	.name = "exec",
	.usage = "[OPTIONS] NAME|PID [--] COMMAND [ARG...]",
	.summary = "run a command in kept namespaces, or in those of a process",
	.options = options_table,
	.options_size = sizeof(struct options),
	.mode = OPT_SOURCE,
	.min_args = 2,
	.max_args = -1,
	.run = run,
	.details = "Without options all of them are joined. Nothing else changes: no limits, no security profile, no\n"
	           "environment. To run a command in a container as a part of it, see nook exec.\n",
	.examples = "nook ns exec lab -- ip addr\n"
	            "nook ns exec --net --mnt 4711 -- ss -tln\n",
};
