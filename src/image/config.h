/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config of an image: what it was made for, how its command is run, its layers and its history. */
#pragma once

#include "image/manifest.h"

/* "config" of the config. */
struct image_run {
	const char *user;               /* NULL when absent; so all below */
	const char *const *env;         /* NULL-terminated "NAME=VALUE" */
	const char *const *entrypoint, *const *cmd;
	const char *workdir, *stop_signal;
	const char *const *volumes;     /* keys of "Volumes" */
	const char *const *ports;       /* keys of "ExposedPorts": "80/tcp" */
	struct spec_pair *labels;
	size_t n_labels;
	const char *const *shell, *const *on_build;
	const char *healthcheck;        /* its JSON text */
};

struct image_history {
	const char *created, *created_by, *author, *comment;
	bool empty_layer;
};

struct image_config {
	const char *created;            /* RFC 3339, or NULL */
	const char *author;
	struct platform platform;
	struct image_run run;
	const char *const *diff_ids;    /* checked digests, bottom first */
	size_t n_diff_ids;
	struct image_history *history;
	size_t n_history;
};

/* NAME is the object of errors.  The number of layers must be N_LAYERS, the manifest's. */
int image_config_parse(const char *text, size_t len, size_t n_layers, const char *name, struct arena *a,
	struct image_config *ret, struct nook_error *e);
/* The JSON text, in A.  Members that nook does not know are not carried over. */
const char *image_config_text(const struct image_config *c, struct arena *a);
/* An instruction as `--change` takes it ("CMD [\"/bin/sh\"]", "ENV A=b", "USER 1000"), applied. */
int image_config_change(struct image_config *c, const char *instruction, struct arena *a, struct nook_error *e);
/* An RFC 3339 time as nanoseconds since 1970, 0 when it is none. */
int64_t image_time(const char *text);
/* "2026-11-27T09:15:00.123456789Z" */
const char *image_time_text(int64_t ns, struct arena *a);
