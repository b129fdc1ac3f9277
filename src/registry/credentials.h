/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who a user is to a registry: the auth files that docker, podman and skopeo share, and docker-credential-* helpers.
 *
 * Files in the order in which they are asked: --authfile or $REGISTRY_AUTH_FILE alone; otherwise containers/auth.json
 * below $XDG_RUNTIME_DIR (/run/containers/UID without it) and ~/.config, and $DOCKER_CONFIG/config.json (~/.docker).
 * Keys may name a part of a registry ("host/team/project"); the longest that matches wins.
 */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

struct credentials {
	const char *username, *password; /* NULL when there is an identity token */
	const char *identity_token;
};

/* Runs credential helpers for a process that may start no program itself. */
struct credhelper_host {
	void *context;
	/* As credhelper_spawn(). */
	int (*run)(void *context, const char *name, const char *verb, const char *input, struct buf *out, struct nook_error *e);
};

struct credential_places {
	const char *const *files; /* NULL-terminated; login writes to the first */
	const struct credhelper_host *helpers; /* NULL: children of the caller */
};

/* AUTHFILE is --authfile, or NULL. */
void credential_places_default(const char *authfile, struct arena *a, struct credential_places *ret);
/* For REPOSITORY ("team/project", NULL: the registry as a whole) of REGISTRY ("docker.io", "host:5000"): 0, or 1 when
 * nobody knows any. */
int credentials_find(const struct credential_places *p, const char *registry, const char *repository, struct arena *a,
	struct credentials *ret, struct nook_error *e);
/* Under KEY ("docker.io", "host:5000", "host/team"): in the helper that the first file names, else in that file. */
int credentials_save(const struct credential_places *p, const char *key, const struct credentials *c, struct nook_error *e);
/* From every file and helper: the number of places, 0 when there were none. */
int credentials_erase(const struct credential_places *p, const char *key, struct nook_error *e);

/* Everything that the files and the helpers they name know. */
int credentials_erase_all(const struct credential_places *p, struct nook_error *e);

/* "user:password" as base64 and back; in A.  NULL when TEXT is no base64 of a text with a colon. */
const char *credentials_encode(const struct credentials *c, struct arena *a);
int credentials_decode(const char *text, struct arena *a, struct credentials *ret);
