/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/userns.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int map_write(int proc, const char *file, const char *map, struct nook_error *e)
{
	auto_close int fd = openat(proc, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, map, strlen(map)) < 0 ? err_sys(e, STEP_IDMAP, file) : 0;
}

static int map_and_open(pid_t pid, const char *uid_map, const char *gid_map, struct nook_error *e)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	auto_close int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return err_sys(e, STEP_PROC, path);
	TRY(map_write(proc, "uid_map", uid_map, e));
	TRY(map_write(proc, "gid_map", gid_map, e));
	int fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, STEP_NAMESPACE, "user") : fd;
}

int userns_make(const char *uid_map, const char *gid_map, struct nook_error *e)
{
	struct clone_args a = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	int r;

	if (pid < 0)
		return err_sys(e, STEP_NAMESPACE, "user");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			(void)pause();
	}
	r = map_and_open(pid, uid_map, gid_map, e);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
