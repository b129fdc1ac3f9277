/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* box_enter [-t] RULES COMMAND...: shuts itself in (-t: with a second thread) and runs COMMAND; prints why it could not. */
#include <nook.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *sleeper(void *arg)
{
	(void)pause();
	return arg;
}

int main(int argc, char **argv)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct nook_box *box = nook_box_new();
	int threaded = argc > 1 && strcmp(argv[1], "-t") == 0, at = 1 + threaded, r;
	char text[640];
	pthread_t thread;

	if (argc < at + 2)
		return 2;
	if (threaded)
		(void)pthread_create(&thread, NULL, sleeper, NULL);
	r = nook_box_rules(box, argv[at], &e);
	if (r == 0)
		r = nook_box_enter(box, &e);
	nook_box_free(box);
	if (r != 0) {
		(void)nook_error_text(&e, text, sizeof(text));
		(void)printf("%s %s rule %d\n", r == NOOK_MUST_EXIT ? "must exit" : "as before", text, e.rule);
		return 1;
	}
	(void)execvp(argv[at + 1], argv + at + 1);
	perror(argv[at + 1]);
	return 127;
}
