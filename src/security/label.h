/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SELinux contexts as people give them: whole, "user:role:type[:level]", or part by part. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

/* What a container is to be labelled with; NULL: nothing was asked for. */
struct label {
	const char *process; /* of its processes */
	const char *files;   /* of file systems that are made for it */
};

/*
 * One "label=" option: TEXT is a whole context, "disable", or "user:U", "role:R", "type:T", "level:L" (of the processes) or
 * "filetype:T" (of the files).  Parts change what CURRENT gives: the context of the calling process, or for files
 * "system_u:object_r:T" with the level of the processes.  Later options win.
 */
int label_option(struct arena *a, const char *current, const char *text, struct label *l, struct nook_error *e);

/* The calling process's own context, or an error when there is none. */
int label_current(struct arena *a, const char **ret, struct nook_error *e);
