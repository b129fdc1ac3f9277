/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Other processes, pid 1, what was inherited, limits. */
#include "escape.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, HIGH_FD = 100 };

/* Is one of these numbers open?  Asked of the kernel one by one: /proc may not be what it seems. */
static bool any_open(int from, int to)
{
	for (int fd = from; fd < to; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return true;
	return false;
}

bool attack_low_descriptors(void)
{
	return any_open(3, HIGH_FD);
}

bool attack_high_descriptors(void)
{
	return any_open(HIGH_FD, 1 << 20);
}

/* A file of pid 1, or of the process that stands for it. */
static const char *of_init(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", outside.init, name);
	return path;
}

bool attack_init_ptrace(void)
{
	/* SEIZE does not stop it, and ends with this process. */
	return ptrace(PTRACE_SEIZE, outside.init, NULL, NULL) == 0;
}

bool attack_ptrace_outside(void)
{
	return ptrace(PTRACE_SEIZE, outside.pid, NULL, NULL) == 0;
}

bool attack_init_mem(void)
{
	return can_open(of_init("mem"), O_RDWR) || can_open(of_init("mem"), O_RDONLY);
}

bool attack_init_readv(void)
{
	char maps[256], byte[16];
	unsigned long start = 0;
	struct iovec local = {byte, sizeof(byte)}, remote = {.iov_len = sizeof(byte)};

	if (sscanf(text_of(of_init("maps"), maps, sizeof(maps)), "%lx-", &start) != 1)
		return false;
	remote.iov_base = (void *)start; /* NOLINT(performance-no-int-to-ptr): another process's */
	return process_vm_readv(outside.init, &local, 1, &remote, 1, 0) > 0;
}

bool attack_init_environ(void)
{
	char buf[64];

	return *text_of(of_init("environ"), buf, sizeof(buf)) || *text_of(of_init("maps"), buf, sizeof(buf)) ||
	       *text_of(of_init("syscall"), buf, sizeof(buf)) || *text_of(of_init("stack"), buf, sizeof(buf));
}

bool attack_init_exe(void)
{
	char path[256];

	return readlink(of_init("exe"), path, sizeof(path)) > 0 || can_open(of_init("exe"), O_RDONLY) ||
	       can_open(of_init("exe"), O_PATH);
}

bool attack_init_root(void)
{
	static const char *const doors[] = {"root", "cwd/../../../../../.."};
	char path[4096];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", of_init(doors[i]), outside.marker);
		if (can_open(path, O_RDONLY))
			return true;
	}
	return false;
}

bool attack_init_fds(void)
{
	return can_open(of_init("fd"), O_RDONLY | O_DIRECTORY) || can_open(of_init("map_files"), O_RDONLY | O_DIRECTORY) ||
	       can_open(of_init("fd/0"), O_PATH);
}

bool attack_init_pidfd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, outside.init, 0);

	/* EBADF: it has no such descriptor, but it would have been handed over. */
	return pidfd >= 0 && (syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0 || errno == EBADF);
}

bool attack_init_settings(void)
{
	static const char *const files[] = {"oom_score_adj", "clear_refs", "coredump_filter", "setgroups", "uid_map", "sched"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (can_open(of_init(files[i]), O_WRONLY))
			return true;
	return false;
}

bool attack_host_process(void)
{
	return kill(outside.pid, 0) == 0 || (errno == EPERM && outside.pid > 0);
}

bool attack_setuid_program(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(0);
		(void)execl("/suid", "suid", "who", (char *)NULL);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

bool attack_capabilities(void)
{
	static const unsigned dangerous[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT,
		CAP_SYS_TIME, CAP_DAC_READ_SEARCH, CAP_MKNOD, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON, CAP_SYSLOG,
		CAP_MAC_ADMIN, CAP_SYS_RESOURCE};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	/* Asked for all at once, and one by one. */
	for (size_t i = 0; i < sizeof(dangerous) / sizeof(dangerous[0]); i++)
		if (data[dangerous[i] / 32].permitted & 1U << dangerous[i] % 32)
			return true;
	memset(data, 0xff, sizeof(data));
	return syscall(SYS_capset, &header, data) == 0;
}

bool attack_rlimit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		return false;
	limit.rlim_cur = limit.rlim_max = limit.rlim_max + 4096;
	return setrlimit(RLIMIT_CORE, &limit) == 0;
}

bool attack_realtime(void)
{
	return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) == 0;
}

bool attack_nice(void)
{
	return setpriority(PRIO_PROCESS, 0, -5) == 0;
}

bool attack_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "-1", 2) == 2;
}

bool attack_fork_bomb(void)
{
	unsigned made = 0;
	bool gained;

	(void)setpgid(0, 0);
	for (; made <= outside.pids_limit; made++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)setpgid(0, getppid());
			(void)alarm(30);
			(void)pause();
			_exit(0);
		}
		if (pid < 0)
			break;
		(void)setpgid(pid, getpid());
	}
	gained = made > outside.pids_limit;
	(void)signal(SIGTERM, SIG_IGN);
	(void)kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return gained;
}

bool attack_shm(void)
{
	return shmget(outside.shm_key, 0, 0) >= 0;
}

bool attack_abstract_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(outside.socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, outside.socket, len);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0;
}

bool attack_own_user(void)
{
	char map[128];

	/* Only the initial user namespace maps every id to itself. */
	return strstr(text_of("/proc/self/uid_map", map, sizeof(map)), "4294967295") != NULL;
}
