/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs commands by turns and says what each run took.  Small and static, and it starts them by vfork(2), so that
 * measuring costs the same few microseconds for all.
 *
 *     stopwatch ROUNDS < CASES
 *
 * A case is a line of fields parted by tabs: name, a mount namespace to run in (or "-"), command and arguments.  Each
 * run is a line "name nanoseconds cpu-microseconds peak-KiB status", from execve(2) to the end of the process.
 * The order is turned by one each round: no case always follows the same one.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CASES = 64, MAX_ARGS = 64 };

struct one_case {
	const char *name;
	int mount_ns; /* or -1 */
	char *argv[MAX_ARGS];
};

extern char **environ;

static struct one_case cases[MAX_CASES];
/* Written by the child, which borrows our memory until it runs its command. */
static volatile uint64_t started;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void parse(struct one_case *c, char *line)
{
	char *save = NULL;
	int n = 0;
	const char *ns;

	line[strcspn(line, "\n")] = 0;
	c->name = strtok_r(line, "\t", &save);
	ns = strtok_r(NULL, "\t", &save);
	while (n < MAX_ARGS - 1 && (c->argv[n] = strtok_r(NULL, "\t", &save)))
		n++;
	if (!ns || n == 0)
		errx(2, "a case is a name, a mount namespace and a command");
	c->mount_ns = strcmp(ns, "-") ? open(ns, O_RDONLY | O_CLOEXEC) : -1;
	if (c->mount_ns < 0 && strcmp(ns, "-"))
		err(2, "%s", ns);
}

static uint64_t micros(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000U + (uint64_t)t->tv_usec;
}

static void run(const struct one_case *c, FILE *out)
{
	struct rusage usage;
	uint64_t ended;
	int status;
	pid_t pid = vfork();

	if (pid < 0)
		err(2, "vfork");
	if (pid == 0) {
		if (c->mount_ns >= 0 && setns(c->mount_ns, CLONE_NEWNS) < 0)
			_exit(126);
		started = now_ns();
		(void)execve(c->argv[0], c->argv, environ);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) < 0)
		err(2, "wait4");
	ended = now_ns();
	(void)fprintf(out, "%s\t%llu\t%llu\t%ld\t%d\n", c->name, (unsigned long long)(ended - started),
		(unsigned long long)(micros(&usage.ru_utime) + micros(&usage.ru_stime)), usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 0, null = open("/dev/null", O_RDWR | O_CLOEXEC), n = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *out;

	if (rounds < 1)
		errx(2, "usage: stopwatch ROUNDS < CASES");
	while (n < MAX_CASES && getline(&line, &size, stdin) > 0) {
		parse(&cases[n++], line);
		line = NULL;
	}
	if (n == 0)
		errx(2, "no cases");
	/* The commands' own output goes nowhere, ours to where stdout was. */
	out = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "w");
	if (!out || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		err(2, "/dev/null");
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++)
			run(&cases[(round + i) % n], out);
	return fclose(out) == 0 ? 0 : 2;
}
