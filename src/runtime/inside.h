/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on the files of a container as its own root would do it, without running anything of the container's.
 *
 * A child process enters the user namespace of a running container, or becomes the owner of the ids of one that has ended,
 * and gets a descriptor of the root directory.  It stays in the host's mount namespace with the host's root directory, so a
 * name that the container controls leads nowhere: it has to be looked up below that descriptor (sys/inroot.h).  Owners are
 * the container's ids, and what the container's root may not read, the child may not either.
 */
#pragma once

#include "runtime/container.h"

enum inside_view {
	INSIDE_ALL,       /* with what is mounted in it, volumes for example */
	INSIDE_ROOT_ALONE, /* the root file system, and empty directories where something is mounted */
};

/* JOB runs in the child, may allocate, and returns what inside_run() returns; errors come across.  -ENODATA with a sentence
 * when the container has ended and its changes with it. */
typedef int (*inside_job)(int root, void *data, struct nook_error *e); /* a parameter's type */
int inside_run(struct store_run *r, const struct container *c, enum inside_view view, inside_job job, void *data,
               struct nook_error *e);
/* Nothing of a running container moves between the two: 1 when it was frozen here and has to be thawed. */
int inside_freeze(const struct container *c, struct arena *a, struct nook_error *e);
int inside_thaw(const struct container *c, struct arena *a, struct nook_error *e);
