/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* box_api: a running box through every function that looks at one.  Prints what was seen, one fact a line. */
#define _GNU_SOURCE
#include <nook.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct nook_error e = NOOK_ERROR_INIT;

static void expect(int code, const char *what)
{
	char text[640];

	if (code >= 0)
		return;
	(void)nook_error_text(&e, text, sizeof(text));
	printf("%s: error %s\n", what, text);
	exit(1);
}

static struct nook_proc *start(const char *rules, const char *script)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct nook_box *first = nook_box_new(), *box;
	struct nook_proc *p = NULL;

	expect(nook_box_rules(first, rules, &e), "rules");
	box = nook_box_clone(first);
	nook_box_free(first);
	expect(nook_box_spawn(box, argv, &p, &e), "spawn");
	nook_box_free(box);
	return p;
}

int main(void)
{
	struct nook_result r = NOOK_RESULT_INIT;
	struct nook_host host = NOOK_HOST_INIT;
	struct pollfd poller;
	struct nook_proc *p;
	char *plan = NULL;
	const char *true_argv[] = {"/bin/true", NULL};
	struct nook_box *box = nook_box_new();
	int pipes[2];
	char buf[16];

	setvbuf(stdout, NULL, _IONBF, 0);
	expect(nook_host_probe(&host, &e), "probe");
	printf("userns %u\n", host.userns);
	expect(nook_box_explain(box, true_argv, NOOK_JSON, &plan, &e), "explain");
	printf("plan %s\n", plan[0] == '{' || plan[0] == '[' ? "json" : plan);
	free(plan);

	p = start("limit pids=20", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done");
	printf("wait %s\n", nook_proc_wait(p, 0, &r, &e) == -110 ? "timed out" : "?");
	/* The trap is set once a second process is there. */
	do
		expect(nook_proc_stats(p, &r, &e), "stats");
	while (r.pids < 2);
	printf("exit code so far %d\n", r.exit_code);
	expect(nook_proc_kill(p, SIGTERM, &e), "kill");
	poller = (struct pollfd){nook_proc_pidfd(p), POLLIN, 0};
	printf("pidfd %d\n", poll(&poller, 1, 10000));
	expect(nook_proc_wait(p, -1, &r, &e), "wait");
	printf("exit %d signal %d\n", r.exit_code, r.term_signal);
	printf("again %d\n", nook_proc_wait(p, 0, &r, &e));
	nook_proc_free(p);

	p = start("", "kill -SEGV $$");
	expect(nook_proc_wait(p, -1, &r, &e), "wait");
	printf("exit %d signal %d\n", r.exit_code, r.term_signal);
	nook_proc_free(p);

	p = start("limit wall=100ms", "sleep 60");
	expect(nook_proc_wait(p, -1, &r, &e), "wait");
	printf("limit wall %d\n", r.limit == NOOK_LIMIT_WALL && r.term_signal == SIGKILL && r.wall_us >= 100000);
	nook_proc_free(p);

	p = start("limit time=150ms", "while :; do :; done & while :; do :; done");
	expect(nook_proc_wait(p, -1, &r, &e), "wait");
	printf("limit time %d\n", r.limit == NOOK_LIMIT_TIME && r.user_us + r.system_us >= 150000 && r.wall_us < 5000000);
	nook_proc_free(p);

	/* Output ends when the box has ended, although nobody has waited; a helper that someone else waits for is no loss. */
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return 1;
	expect(nook_box_fd(box, pipes[1], 1, &e), "fd");
	expect(nook_box_fd(box, pipes[1], 5, &e), "fd");
	(void)close(pipes[1]);
	expect(nook_box_spawn(box, (const char *[]){"/bin/echo", "said", NULL}, &p, &e), "spawn");
	nook_box_free(box);
	buf[read(pipes[0], buf, sizeof(buf) - 1)] = 0;
	printf("output %s", buf);
	printf("end %zd\n", read(pipes[0], buf, sizeof(buf)));
	while (waitpid(-1, NULL, 0) > 0)
		;
	expect(nook_proc_wait(p, -1, &r, &e), "wait");
	printf("exit %d\n", r.exit_code);
	nook_proc_free(p);

	p = start("", "sleep 60");
	nook_proc_free(p);
	printf("children %d\n", waitpid(-1, NULL, 0));
	return 0;
}
