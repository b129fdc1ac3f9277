/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor of an exec into a container with the host's ids: the kernel calls that cannot be done without, and nothing
 * else.  It finds no container, reads no state and no configuration, and is not safe from a command that is a script with
 * "#!/proc/self/exe".
 *
 *     floor_exec PID COMMAND [ARG...]
 *
 * It enters the groups and namespaces of process PID with the three capabilities that `runc spec` leaves, loads nook's
 * default filter and runs the command.
 */
#include "floor_filter.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GROUPS = 16 };

static const uint32_t caps = 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE | 1U << CAP_AUDIT_WRITE;

static void must(long r, const char *what)
{
	if (r < 0)
		err(125, "%s", what);
}

/* Opens the groups of PID that are not the root of their hierarchy: v1's tasks into DOORS, v2's directory as *ret_v2. */
static int open_groups(const char *pid, int *doors, int *ret_v2)
{
	char name[PATH_MAX], text[8192], *line, *save = NULL;
	int n = 0, file;
	ssize_t len;

	(void)snprintf(name, sizeof(name), "/proc/%s/cgroup", pid);
	file = open(name, O_RDONLY | O_CLOEXEC);
	must(file, name);
	len = read(file, text, sizeof(text) - 1);
	must(len, name);
	text[len] = 0;
	*ret_v2 = -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path || !strcmp(path, ":/") || n == GROUPS)
			continue;
		*path++ = 0;
		if (list[1] == 0) {
			(void)snprintf(name, sizeof(name), "/sys/fs/cgroup/unified%s", path);
			*ret_v2 = open(name, O_PATH | O_CLOEXEC);
			must(*ret_v2, name);
			continue;
		}
		(void)snprintf(name, sizeof(name), "/sys/fs/cgroup/%s%s/tasks", list + 1, path);
		doors[n] = open(name, O_WRONLY | O_CLOEXEC);
		must(doors[n++], name);
	}
	return n;
}

static void confine(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{caps, caps, 0}, {0, 0, 0}};
	struct sock_fprog filter = {sizeof(floor_filter) / sizeof(floor_filter[0]), (struct sock_filter *)floor_filter};

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (i >= 32 || !(caps & 1U << i))
			must(prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "bounding set");
	must(syscall(SYS_setgroups, 0, NULL), "groups");
	must(syscall(SYS_capset, &header, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

static void child(int pidfd, const int *doors, int n, char **argv)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = {path, NULL};

	for (int i = 0; i < n; i++)
		must(write(doors[i], "0", 1), "join");
	must(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET), "setns");
	must(setsid(), "setsid");
	must(syscall(SYS_close_range, 3, ~0U, 4), "close_range");
	confine();
	(void)execve(argv[0], argv, env);
	err(127, "%s", argv[0]);
}

int main(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	int doors[GROUPS], n, v2, pidfd, status;
	pid_t pid;

	if (argc < 3)
		errx(125, "usage: floor_exec PID COMMAND [ARG...]");
	pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	must(pidfd, "pidfd");
	n = open_groups(argv[1], doors, &v2);
	if (v2 >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)v2;
	}
	must(setns(pidfd, CLONE_NEWPID), "setns");
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	must(pid, "clone3");
	if (pid == 0)
		child(pidfd, doors, n, argv + 2);
	must(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
