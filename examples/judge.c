/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A contest judge: judge PROGRAM INPUT ANSWER
 *
 * Runs a program that nobody trusts on an input and says what a contestant wants to hear.
 *
 *     cc judge.c -o judge $(pkg-config --cflags --libs nook)
 */
#define _GNU_SOURCE
#include <nook.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char rules[] =
	"syscalls strict\n"
	"limit pids=4,files=32,fsize=0,output=1m\n"
	"limit time=1s,wall=5s\n";

static struct nook_error error = NOOK_ERROR_INIT;

static void die(void)
{
	char text[640];

	nook_error_text(&error, text, sizeof(text));
	fprintf(stderr, "judge: %s\n", text);
	if (nook_error_hint(&error))
		fprintf(stderr, "  hint: %s\n", nook_error_hint(&error));
	exit(2);
}

/* Is all of FD the same as the file ANSWER, but for space at the end? */
static int is_answer(int fd, const char *answer)
{
	static char said[2 << 20], want[2 << 20];
	int file = open(answer, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, said, sizeof(said), 0), m = file < 0 ? -1 : read(file, want, sizeof(want));

	if (n < 0 || m < 0) {
		perror(answer);
		exit(2);
	}
	close(file);
	while (n > 0 && strchr(" \n", said[n - 1]))
		n--;
	while (m > 0 && strchr(" \n", want[m - 1]))
		m--;
	return n == m && !memcmp(said, want, (size_t)n);
}

static const char *verdict(const struct nook_result *r, int output, const char *answer)
{
	switch (r->limit) {
	case NOOK_LIMIT_TIME:
	case NOOK_LIMIT_WALL:
		return "time limit exceeded";
	case NOOK_LIMIT_MEMORY:
		return "memory limit exceeded";
	case NOOK_LIMIT_OUTPUT:
		return "output limit exceeded";
	}
	if (r->exit_code != 0)
		return "run-time error";
	return is_answer(output, answer) ? "accepted" : "wrong answer";
}

int main(int argc, char **argv)
{
	const char *command[] = {"/solution", NULL};
	struct nook_result r = NOOK_RESULT_INIT;
	struct nook_host host = NOOK_HOST_INIT;
	struct nook_box *box = nook_box_new();
	struct nook_proc *process = NULL;
	int input, output;

	if (argc != 4) {
		fprintf(stderr, "usage: judge PROGRAM INPUT ANSWER\n");
		return 2;
	}
	input = open(argv[2], O_RDONLY | O_CLOEXEC);
	output = memfd_create("output", MFD_CLOEXEC);
	if (input < 0 || output < 0) {
		perror(argv[2]);
		return 2;
	}
	if (nook_box_rules(box, rules, &error) < 0 || nook_box_bind(box, NOOK_READ_ONLY, argv[1], "/solution", &error) < 0 ||
		nook_box_fd(box, input, 0, &error) < 0 || nook_box_fd(box, output, 1, &error) < 0)
		die();
	/* Memory is counted where the judge may make control groups. */
	if (nook_host_probe(&host, &error) < 0 || (host.cgroup && nook_box_limit(box, "mem", 64 << 20, &error) < 0))
		die();
	if (nook_box_spawn(box, command, &process, &error) < 0 || nook_proc_wait(process, -1, &r, &error) < 0)
		die();
	printf("%s: %llu ms, %llu KiB\n", verdict(&r, output, argv[3]), (unsigned long long)(r.user_us + r.system_us) / 1000,
	       (unsigned long long)r.max_rss / 1024);
	nook_proc_free(process);
	nook_box_free(box);
	return 0;
}
