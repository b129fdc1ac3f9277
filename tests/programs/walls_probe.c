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
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	char path[4096];

	snprintf(path, sizeof(path), "%s/secret", dir);
	try_open("read-elsewhere", path, O_RDONLY);
	try_open("write-elsewhere", path, O_WRONLY);
	snprintf(path, sizeof(path), "%s/new", dir);
	try_open("make-elsewhere", path, O_WRONLY | O_CREAT);
	snprintf(path, sizeof(path), "%s/images/probe", getenv("NOOK_PROBE_ROOT"));
	try_open("make-in-store", path, O_WRONLY | O_CREAT);
	tell("chown", chown(path, 1, 1));
	unlink(path);
	try_open("read-hosts", "/etc/hosts", O_RDONLY);
	try_open("read-shadow", "/etc/shadow", O_RDONLY);
	try_open("write-hosts", "/etc/hosts", O_WRONLY);
	try_open("environment-of-others", "/proc/1/environ", O_RDONLY);
	try_fork();
	tell("exec", execl("/bin/true", "true", NULL));
	tell("mount", mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	tell("unshare", unshare(CLONE_NEWUSER));
	tell("kill", kill(getppid(), 0));
	tell("ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	try_socket("socket-alg", AF_ALG);
	try_socket("socket-inet", AF_INET);
	show_status();
	return real(flags);
}
