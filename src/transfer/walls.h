/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What speaks to registries meets strangers with large libraries (TLS, HTTP/2, JSON), and what loads an archive reads bytes of
 * strangers; so before the first of it each gives up what it does not need, for good:
 *
 *   - files: reads what name lookup, TLS and registries.conf take and the user's credentials, writes below the depot (Landlock);
 *   - rights: no new ones, and of root's none but those over files inside the walls;
 *   - system calls: starts no program and no process, makes no mounts, namespaces, listeners or odd sockets, reaches no other
 *     process and no daemon, and gives files no modes that others gain from (seccomp).
 *
 * What it has to start is started by transfer/starter.h.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

struct walls {
	const char *images;            /* the depot, written; it need not be there: then nothing is */
	const char *cert_dir;          /* --cert-dir, or NULL */
	const char *const *auth_files; /* NULL-terminated */
	const char *written_in;        /* another directory in which a file is replaced, or NULL */
	const char *read_from;         /* another file or directory that is read, or NULL */
};

/* Before there are threads.  *ret_missing: a clause about what this kernel cannot do, or NULL. */
int walls_raise(const struct walls *w, struct arena *a, const char **ret_missing, struct nook_error *e);
