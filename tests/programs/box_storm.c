/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_storm THREADS STARTS: every thread starts boxes while others allocate, open descriptors and take signals.  Each box
 * must end with the code it was told; the program's descriptors must be as before.  Prints "N right, N wrong".
 */
#include <nook.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static atomic_int right, wrong, ticks;
static int starts;
static struct nook_box *box;

static void tick(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void *work(void *arg)
{
	int own = (int)(long)arg;

	for (int i = 0; i < starts; i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		struct nook_result r = NOOK_RESULT_INIT;
		struct nook_proc *p = NULL;
		char code[16], text[640], *junk;
		const char *argv[] = {"/bin/sh", "-c", "exit $0", code, NULL};
		int want = (own * 31 + i) % 100, ok;

		(void)snprintf(code, sizeof(code), "%d", want);
		junk = malloc((size_t)(i % 64 + 1) * 4096);
		memset(junk, i, (size_t)(i % 64 + 1) * 4096);
		ok = nook_box_spawn(box, argv, &p, &e) == 0 && nook_proc_wait(p, -1, &r, &e) == 0;
		free(junk);
		nook_proc_free(p);
		if (ok && r.exit_code == want && r.term_signal == -1) {
			atomic_fetch_add(&right, 1);
			continue;
		}
		atomic_fetch_add(&wrong, 1);
		(void)nook_error_text(&e, text, sizeof(text));
		(void)fprintf(stderr, "%s (exit %d signal %d, not %d)\n", ok ? "" : text, r.exit_code, r.term_signal, want);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action;
	struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	pthread_t threads[64];
	int n, before, after;

	if (argc != 3)
		return 2;
	n = atoi(argv[1]) < 64 ? atoi(argv[1]) : 64;
	starts = atoi(argv[2]);
	memset(&action, 0, sizeof(action));
	action.sa_handler = tick;
	action.sa_flags = SA_RESTART;
	(void)sigaction(SIGALRM, &action, NULL);
	box = nook_box_new();
	before = count_fds();
	(void)setitimer(ITIMER_REAL, &every, NULL);
	for (long i = 0; i < n; i++)
		(void)pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	after = count_fds();
	nook_box_free(box);
	printf("%d right, %d wrong, %d descriptors left, signals %s\n", right, wrong, after - before, ticks ? "came" : "were lost");
	return wrong || after != before || !ticks;
}
