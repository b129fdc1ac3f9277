/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_exec THREADS RULES COMMAND...: every thread starts a box of its own and runs COMMAND in it as a second command; the
 * first thread's output is printed.  Then, unless THREADS is 0, what cannot be: a command in a box that has ended, and one
 * in a command.
 */
#include <nook.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *rules;
static const char *const *command;
static atomic_int right;

static int fail(const char *what, const struct nook_error *e)
{
	char text[640];

	(void)nook_error_text(e, text, sizeof(text));
	(void)printf("%s: %s\n", what, text);
	return -1;
}

static int try_one(int shows, int more)
{
	const char *const sleeper[] = {"sleep", "600", NULL}, *const quiet[] = {"sh", "-c", "test $(hostname) = box && exit 7", NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	struct nook_result r = NOOK_RESULT_INIT;
	struct nook_proc *p = NULL, *q = NULL, *again = NULL;
	struct nook_box *box = nook_box_new();
	int code = 0;

	if (nook_box_rules(box, rules, &e) < 0 || nook_box_spawn(box, sleeper, &p, &e) < 0)
		code = fail("spawn", &e);
	else if (nook_proc_exec(p, shows ? command : quiet, &q, &e) < 0 || nook_proc_wait(q, -1, &r, &e) < 0)
		code = fail("exec", &e);
	else if (shows)
		(void)printf("exit %d signal %d\n", r.exit_code, r.term_signal);
	else if (r.exit_code != 7)
		code = fail("exit status", &e);
	if (code == 0 && more) {
		(void)printf("in a command %d\n", nook_proc_exec(q, quiet, &again, &e));
		nook_proc_free(q);
		q = NULL;
		/* Another one ends with the box. */
		if (nook_proc_exec(p, sleeper, &q, &e) < 0) {
			code = fail("exec", &e);
		} else {
			(void)nook_proc_kill(p, SIGKILL, &e);
			(void)nook_proc_wait(q, -1, &r, &e);
			(void)printf("with the box %d\n", r.term_signal);
			(void)nook_proc_wait(p, -1, NULL, &e);
			(void)printf("after its end %d\n", nook_proc_exec(p, quiet, &again, &e));
		}
	}
	nook_proc_free(q);
	nook_proc_free(p);
	nook_box_free(box);
	return code;
}

static void *work(void *arg)
{
	if (try_one(0, 0) == 0)
		atomic_fetch_add(&right, 1);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[32];
	int n = argc > 3 ? atoi(argv[1]) : -1;

	if (n < 0 || n > 32)
		return 2;
	rules = argv[2];
	command = (const char *const *)argv + 3;
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	if (try_one(1, n > 0) < 0)
		return 1;
	for (int i = 0; i < n; i++)
		(void)pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("%d right\n", right);
	return right != n;
}
