/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loaded into nook-transfer (LD_PRELOAD): when libcurl starts, which is after the process has shut itself in, it tries what a
 * process that was taken over would, and prints "probe NAME ERRNO" for each.  NOOK_PROBE: a directory with a file "secret".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Newer than the headers. */
enum { OPEN_TREE_ATTR = 467 };

static void tell(const char *name, long result)
{
	int errnum = result < 0 ? errno : 0;

	dprintf(STDERR_FILENO, "probe %s %d\n", name, errnum);
}

static void try_open(const char *name, const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	tell(name, fd);
	if (fd >= 0)
		close(fd);
}

static void try_socket(const char *name, int family)
{
	int fd = socket(family, family == AF_ALG ? SOCK_SEQPACKET : SOCK_STREAM, 0);

	tell(name, fd);
	if (fd >= 0)
		close(fd);
}

static void try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	tell("fork", pid);
}

/* Each of these reaches a process outside. */
static void try_signals(void)
{
	siginfo_t info = {.si_signo = 0, .si_code = SI_QUEUE};
	const long parent = getppid(), beyond = 1L << 32;
	struct rlimit limit;
	int pipes[2] = {-1, -1};

	(void)!pipe(pipes);
	tell("kill", kill(getppid(), 0));
	tell("sigqueue", syscall(SYS_rt_sigqueueinfo, parent, 0, &info));
	tell("owner-of-a-file", syscall(SYS_fcntl, (long)pipes[0], F_SETOWN, parent));
	tell("owner-of-a-file-wide", syscall(SYS_fcntl, (long)pipes[0], F_SETOWN | beyond, parent));
	tell("signal-of-a-file", fcntl(pipes[0], F_SETSIG, SIGKILL));
	tell("limit-of-others", prlimit(getppid(), RLIMIT_CPU, NULL, &limit));
	tell("limit-of-its-own", prlimit(0, RLIMIT_CPU, NULL, &limit));
	tell("nice-of-others", setpriority(PRIO_PROCESS, (id_t)parent, 0));
	tell("type-ahead", ioctl(STDIN_FILENO, TIOCSTI, "x"));
	tell("type-ahead-wide", syscall(SYS_ioctl, 0L, TIOCSTI | beyond, "x"));
	close(pipes[0]);
	close(pipes[1]);
}

/* What Landlock does not judge: MINE is a file in the store, OTHER one outside. */
static void try_modes(const char *mine, const char *other)
{
	int fd = open(mine, O_RDWR | O_CREAT, 0600);

	tell("mode-elsewhere", chmod(other, 0666));
	tell("mode-elsewhere-at", fchmodat(AT_FDCWD, other, 0644, 0));
	tell("mode-to-remove", chmod(mine, 0700));
	tell("mode-set-id", fchmod(fd, 04755));
	tell("mode-writable", fchmod(fd, 0777));
	tell("mode-of-a-database", fchmod(fd, 0644));
	tell("list-elsewhere", setxattr(other, "user.probe", "x", 1, 0));
	tell("length-elsewhere", truncate(other, 0));
	tell("chown", chown(mine, 1, 1));
	close(fd);
}

static void show_status(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "NoNewPrivs:", 11) == 0 ||
			strncmp(line, "Seccomp:", 8) == 0)
			dprintf(STDERR_FILENO, "status %s", line);
	if (f)
		fclose(f);
}

int curl_global_init(long flags)
{
	const char *dir = getenv("NOOK_PROBE");
	int (*real)(long) = (int (*)(long))dlsym(RTLD_NEXT, "curl_global_init");
	char path[4096], other[4096];

	snprintf(path, sizeof(path), "%s/secret", dir);
	try_open("read-elsewhere", path, O_RDONLY);
	try_open("write-elsewhere", path, O_WRONLY);
	snprintf(path, sizeof(path), "%s/new", dir);
	try_open("make-elsewhere", path, O_WRONLY | O_CREAT);
	snprintf(path, sizeof(path), "%s/images/probe", getenv("NOOK_PROBE_ROOT"));
	try_open("make-in-store", path, O_WRONLY | O_CREAT);
	snprintf(other, sizeof(other), "%s/secret", dir);
	try_modes(path, other);
	unlink(path);
	try_open("read-hosts", "/etc/hosts", O_RDONLY);
	try_open("read-shadow", "/etc/shadow", O_RDONLY);
	try_open("write-hosts", "/etc/hosts", O_WRONLY);
	try_open("environment-of-others", "/proc/1/environ", O_RDONLY);
	try_fork();
	tell("exec", execl("/bin/true", "true", NULL));
	tell("mount", mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	tell("tree", syscall(OPEN_TREE_ATTR, AT_FDCWD, "/", O_CLOEXEC, NULL, 0));
	tell("unshare", unshare(CLONE_NEWUSER));
	try_signals();
	tell("ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	try_socket("socket-alg", AF_ALG);
	try_socket("socket-inet", AF_INET);
	try_socket("socket-unix", AF_UNIX);
	show_status();
	return real(flags);
}
