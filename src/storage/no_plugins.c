/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SQLite can load extensions, and nook never asks it to.  Without these, a static nook would take in the whole dynamic
 * loader for it: half a megabyte in the way of every start.
 */
#include <stddef.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* not <dlfcn.h>: its attributes differ between libraries */

void *dlopen(const char *name, int mode)
{
	return NULL;
}

void *dlsym(void *handle, const char *name)
{
	return NULL;
}

int dlclose(void *handle)
{
	return -1;
}

char *dlerror(void)
{
	static char words[] = "extensions are not loaded";

	return words;
}
