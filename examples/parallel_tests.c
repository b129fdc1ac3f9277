/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A test runner: parallel_tests JOBS TEST...
 *
 * Runs programs side by side, each in a box of its own: they cannot meet in /tmp, on a port or in each other's processes, and
 * none outlives the run.  The current directory is visible and cannot be written.
 *
 *     cc parallel_tests.c -o parallel_tests $(pkg-config --cflags --libs nook)
 */
#define _GNU_SOURCE
#include <nook.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { JOBS_MAX = 64 };

struct job {
	const char *name;
	struct nook_proc *process;
	int output; /* what it says is shown only when it fails */
};

static struct nook_error error = NOOK_ERROR_INIT;

static void die(const char *what)
{
	char text[640];

	nook_error_text(&error, text, sizeof(text));
	fprintf(stderr, "%s: %s\n", what, text);
	exit(2);
}

static void job_start(struct job *j, const struct nook_box *common, const char *name)
{
	const char *command[] = {name, NULL};
	struct nook_box *box = nook_box_clone(common);

	j->name = name;
	j->output = memfd_create(name, MFD_CLOEXEC);
	if (nook_box_fd(box, j->output, 1, &error) < 0 || nook_box_fd(box, j->output, 2, &error) < 0 ||
		nook_box_spawn(box, command, &j->process, &error) < 0)
		die(name);
	nook_box_free(box);
}

static void show(int fd)
{
	char buf[4096];
	ssize_t n;

	fflush(stdout);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) < 0)
			return;
}

/* Returns whether the test failed. */
static int job_end(struct job *j)
{
	struct nook_result r = NOOK_RESULT_INIT;
	int failed;

	if (nook_proc_wait(j->process, -1, &r, &error) < 0)
		die(j->name);
	failed = r.exit_code != 0;
	printf("%s %s (%llu ms)%s\n", failed ? "FAIL" : "ok  ", j->name, (unsigned long long)r.wall_us / 1000,
	       r.limit ? ": it took too long" : "");
	if (failed)
		show(j->output);
	nook_proc_free(j->process);
	close(j->output);
	return failed;
}

int main(int argc, char **argv)
{
	struct job jobs[JOBS_MAX];
	struct pollfd pollers[JOBS_MAX];
	struct nook_box *box = nook_box_new();
	int room = argc > 2 ? atoi(argv[1]) : 0, running = 0, next = 2, failed = 0;

	if (room < 1 || room > JOBS_MAX) {
		fprintf(stderr, "usage: parallel_tests JOBS TEST...\n");
		return 2;
	}
	if (nook_box_rules(box, "ro .\nlimit wall=60s", &error) < 0)
		die("rules");
	while (running || next < argc) {
		while (running < room && next < argc)
			job_start(&jobs[running++], box, argv[next++]);
		for (int i = 0; i < running; i++)
			pollers[i] = (struct pollfd){nook_proc_pidfd(jobs[i].process), POLLIN, 0};
		if (poll(pollers, (nfds_t)running, -1) < 0)
			continue;
		for (int i = running - 1; i >= 0; i--) {
			if (!pollers[i].revents)
				continue;
			failed += job_end(&jobs[i]);
			jobs[i] = jobs[--running];
		}
	}
	nook_box_free(box);
	printf("%d passed, %d failed\n", argc - 2 - failed, failed);
	return failed > 0;
}
