/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environment of a command: --env and --env-file, as docker has them. */
#pragma once

#include "command/command.h"

struct env_sources {
	const char *const *base;   /* what stands before the options, or NULL: the container's is added later */
	struct opt_list files;     /* lines of NAME=VALUE or NAME; # starts a comment */
	struct opt_list variables; /* NAME=VALUE, or NAME for the caller's value */
	bool terminal;             /* TERM is passed on */
};

/* A NULL-terminated list in A. */
int env_build(struct arena *a, const struct env_sources *from, const char *const **ret, struct nook_error *e);
