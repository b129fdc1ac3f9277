/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the name of an image to the registries that are asked for it: configuration, certificates, credentials. */
#pragma once

#include "image/reference.h"
#include "command/registry_options.h"
#include "registry/registries.h"
#include "registry/remote.h"
#include "transfer/starter.h"

struct reach {
	struct cli *cli;
	const struct access_options *access;
	struct http *http;
	struct registries conf;
	struct credential_places auth;
	struct arena *arena; /* the program's */
	struct starter starter;
};

/* What a command that speaks to registries writes beside its output. */
enum reach_writes {
	REACH_NOTHING,
	REACH_DEPOT, /* images, below the root directory */
	REACH_LOGIN, /* the first auth file */
};

/* Shuts the process in (transfer/walls.h) before it starts the first thread; RET must stay where it is.  FILE: one more that
 * will be written, or NULL. */
int reach_open(struct cli *c, const struct access_options *access, enum reach_writes writes, const char *file, struct reach *ret,
	struct nook_error *e);
/* A depot whose unpackers the process may start. */
int reach_depot(struct reach *r, struct arena *a, struct depot **ret, struct nook_error *e);
void reach_done(struct reach *r);

/* How often a request is made before it counts as failed. */
unsigned reach_tries(const struct reach *r);
/* What asks PLACE; ACTIONS as in struct remote_options.  The caller frees it. */
int reach_remote(struct reach *r, const struct registries_place *place, const char *actions, struct remote **ret, struct nook_error *e);
/* For the registry HOST as a whole ("docker.io", "host:5000"); CREDENTIALS are used instead of those that are kept,
 * unless NULL. */
int reach_registry(struct reach *r, const char *host, const struct credentials *c, struct remote **ret, struct nook_error *e);

/* What TEXT may stand for, in the order in which it is tried: one, unless the name is short and registries.conf says
 * where short names are looked for. */
int reach_names(struct reach *r, const char *text, struct reference **ret, size_t *ret_n, struct nook_error *e);
