/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registries.conf(5), version 2: where the images of a name really are, which mirrors are asked first, what is blocked,
 * and what a short name stands for.
 *
 * Read are $CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf, else /etc/containers/registries.conf;
 * then the files NAME.conf of /etc/containers/registries.conf.d and of the one in ~/.config, in the order of their names.
 * What a later file says of a prefix or alias replaces what an earlier one said.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

#include <stdbool.h>

enum registries_pull { REGISTRIES_PULL_ALL, REGISTRIES_PULL_DIGEST, REGISTRIES_PULL_TAG };

struct registries_mirror {
	const char *location;
	bool insecure;
	enum registries_pull pull_from_mirror;
};

struct registries_entry {
	const char *prefix, *location;
	bool insecure, blocked, mirror_by_digest_only;
	struct registries_mirror *mirrors;
	size_t n_mirrors;
};

struct registries_alias {
	const char *name, *value;
};

struct registries {
	const char *const *search; /* for short names, NULL-terminated; NULL: docker.io */
	struct registries_entry *entries;
	size_t n_entries;
	struct registries_alias *aliases;
	size_t n_aliases;
};

/* Where one image can be asked for. */
struct registries_place {
	const char *host;       /* "registry-1.docker.io", "localhost:5000" */
	const char *repository;
	bool insecure;          /* plain http and unchecked certificates will do */
	bool is_mirror;
};

enum registries_want { REGISTRIES_BY_TAG, REGISTRIES_BY_DIGEST };

int registries_load(struct arena *a, struct registries *ret, struct nook_error *e);
/* Adds what one file says; NAME is for messages. */
int registries_add(struct registries *r, const char *text, size_t len, const char *name, struct arena *a, struct nook_error *e);
/* Mirrors first, the registry itself last.  -EPERM when it is blocked. */
int registries_places(const struct registries *r, const char *registry, const char *repository, enum registries_want want,
	struct arena *a, struct registries_place **ret, size_t *ret_n, struct nook_error *e);
/* What the short name PATH ("debian") stands for, or NULL. */
const char *registries_alias(const struct registries *r, const char *path);
