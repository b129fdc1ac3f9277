/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SQLite can load extensions, and nook never asks it to.  Without these, a static nook would take in the whole dynamic
 * loader for it: half a megabyte in the way of every start.
 */
#include <stddef.h>

/* The linker's --wrap=dlopen turns SQLite's calls into calls of these. */
/* NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the names. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

void *__wrap_dlopen(const char *name, int mode)
{
	return NULL;
}

void *__wrap_dlsym(void *handle, const char *name)
{
	return NULL;
}

int __wrap_dlclose(void *handle)
{
	return -1;
}

char *__wrap_dlerror(void)
{
	static char words[] = "extensions are not loaded";

	return words;
}
/* NOLINTEND(bugprone-reserved-identifier) */
