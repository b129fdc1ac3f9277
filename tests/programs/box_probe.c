/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a box is like from inside, one fact a line, the same in every box of the same rules: what fault tests compare.
 * OUTSIDE names the caller's namespaces ("net:[1] pid:[2] ..."), which must be others here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *what, long value)
{
	(void)printf("%s %ld\n", what, value);
}

/* 0, or the errno of a call that returned R. */
static long outcome(long r)
{
	return r < 0 ? errno : 0;
}

static void print_lines(const char *path, const char *const *prefixes)
{
	FILE *f = fopen(path, "r");
	char line[1024];

	while (f && fgets(line, sizeof(line), f))
		for (const char *const *p = prefixes; *p; p++)
			if (!strncmp(line, *p, strlen(*p)))
				(void)fputs(line, stdout);
	if (f)
		(void)fclose(f);
}

/* Where, how and of what type; not the numbers, which differ. */
static void print_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], target[1024], options[256], type[64], *dash;

	while (f && fgets(line, sizeof(line), f)) {
		dash = strstr(line, " - ");
		if (dash && sscanf(line, "%*d %*d %*s %*s %1023s %255s", target, options) == 2 && sscanf(dash, " - %63s", type) == 1)
			(void)printf("mount %s %s %s\n", target, options, type);
	}
	if (f)
		(void)fclose(f);
}

static void print_namespaces(const char *outside)
{
	static const char *const names[] = {"user", "mnt", "pid", "net", "uts", "ipc", "cgroup"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64], id[64];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, id, sizeof(id) - 1);
		id[n > 0 ? n : 0] = 0;
		(void)printf("namespace %s %s\n", names[i], n > 0 && !strstr(outside, id) ? "own" : "SHARED");
	}
}

static void print_limits(void)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l = {0, 0};

		(void)getrlimit((__rlimit_resource_t)i, &l);
		(void)printf("rlimit %d %lld %lld\n", i, (long long)l.rlim_cur, (long long)l.rlim_max);
	}
}

static void print_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("descriptor", fd);
}

int main(int argc, char **argv)
{
	static const char *const status[] = {"Cap", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Umask", NULL}, *const all[] = {"", NULL};
	char host[128] = "";

	print_descriptors();
	print_lines("/proc/self/status", status);
	print_lines("/proc/self/uid_map", all);
	print_lines("/proc/self/gid_map", all);
	print_lines("/proc/self/setgroups", all);
	print_mounts();
	print_namespaces(argc > 1 ? argv[1] : "");
	print_limits();
	(void)gethostname(host, sizeof(host) - 1);
	(void)printf("host %s\n", host);
	say("session of its own", getsid(0) == getpid());
	say("pid", getpid());
	/* Only Landlock keeps a process from a signal to another of the same user. */
	say("signal to pid 1", outcome(kill(1, 0)));
	say("new file in /usr", outcome(open("/usr/nook-probe", O_CREAT | O_WRONLY, 0600)));
	say("new file in /", outcome(open("/nook-probe", O_CREAT | O_WRONLY, 0600)));
	say("new file in /tmp", outcome(open("/tmp/nook-probe", O_CREAT | O_WRONLY, 0600)));
	say("keys", outcome(syscall(SYS_keyctl, 0, -3, 0)));
	say("user namespace", outcome(syscall(SYS_unshare, 0x10000000)));
	say("shadow", outcome(open("/etc/shadow", O_RDONLY)));
	say("kernel memory", outcome(open("/proc/kcore", O_RDONLY)));
	say("secret variable", getenv("SECRET") != NULL);
	say("vsock", outcome(socket(AF_VSOCK, SOCK_STREAM, 0)));
	return 0;
}
