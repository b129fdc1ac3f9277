/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the names and words of errors and signals as this machine's C library has them, for one that has others. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ERRORS = 134 };

int main(void)
{
	(void)printf("static const char *const error_names[] = {\n");
	for (int i = 0; i < ERRORS; i++)
		if (strerrorname_np(i))
			(void)printf("\t[%d] = \"%s\",\n", i, strerrorname_np(i));
	(void)printf("};\nstatic const char *const error_words[] = {\n");
	for (int i = 0; i < ERRORS; i++)
		if (strerrordesc_np(i))
			(void)printf("\t[%d] = \"%s\",\n", i, strerrordesc_np(i));
	(void)printf("};\nstatic const char *const signal_names[] = {\n");
	for (int i = 0; i < NSIG; i++)
		if (sigabbrev_np(i))
			(void)printf("\t[%d] = \"%s\",\n", i, sigabbrev_np(i));
	(void)printf("};\n");
	return 0;
}
