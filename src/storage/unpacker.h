/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running nook-unpack that turns a layer's blob into a directory of ingest/, maybe while the blob still grows. */
#pragma once

#include "storage/layer.h"

#include <sys/types.h>

struct unpacker;

struct unpacker_want {
	int blob;                  /* borrowed */
	bool grows;                /* tell it with unpacker_grown(); its end comes with unpacker_finish() */
	const char *const *lowers; /* absolute paths of the layers below, the topmost first; NULL-terminated or NULL */
	const char *what;          /* the layer's digest, for messages */
	enum digest_algorithm algorithm; /* of the DiffID */
};

/* What nook-unpack is started with. */
struct unpacker_job {
	int news, said;            /* its stdin; its stdout and stderr */
	int blob, target;
	bool grows;
	enum digest_algorithm algorithm;
	const char *const *lowers; /* as above; or names in the working directory.  None is a symbolic link */
};
/* As a child of the caller. */
int unpacker_spawn(const struct unpacker_job *job, pid_t *ret, struct nook_error *e);

/* Starts nook-unpack for a process that may start no program itself: depot.unpackers. */
struct unpacker_host {
	void *context;
	/* TARGET is the directory DIR of the depot.  *ret is a socket: shutdown(2) of it ends the program. */
	int (*start)(void *context, const struct unpacker_job *job, const char *dir, int *ret, struct nook_error *e);
	/* The program's end, as waitpid(2) tells it. */
	int (*wait)(int job, int *ret_status, struct nook_error *e);
};

int unpacker_start(struct depot *d, const struct unpacker_want *want, struct unpacker **ret, struct nook_error *e);
/* -EPIPE (nothing recorded): it has ended; unpacker_finish() tells why. */
int unpacker_grown(struct unpacker *u);
/* Waits for its end.  0: the directory is complete, on the disk, and FACTS are true of it.  1: it has hard links to layers
 * below and must be done again with them; E names the first. */
int unpacker_finish(struct unpacker *u, struct layer_facts *ret, struct nook_error *e);
/* The finished directory, below the depot. */
const char *unpacker_dir(const struct unpacker *u);
/* Ends it if it runs, and removes the directory unless it was published. */
void unpacker_free(struct unpacker *u);
CLEANUP_DEFINE(struct unpacker *, unpacker_free)
