/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: named and anonymous volumes. */
#pragma once

#include "cli/run_options.h"
#include "runtime/volume.h"

/* What one start uses; zeroed at first. */
struct run_volumes {
	struct store_run *store;  /* for --volumes-from; NULL: there are no containers */
	const char **texts;       /* as -v has them, for the container's state */
	size_t n_texts;
	struct volume_use *uses;  /* locks, until the container has ended */
	size_t n_uses;
	bool made_anonymous;
};

/* A volume at TARGET, made when there is none; NAME NULL: an anonymous one.  OPTIONS is a comma list: mount(8)'s words,
 * nocopy, driver=, size= and fs=. */
int run_volume_add(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *name,
	const char *target, const char *options, struct nook_error *e);
/* PATHS, which IMAGE says are data, get an anonymous volume each where nothing else is asked for; NULL: there are none. */
int run_volumes_of_image(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *const *paths,
	const char *image, struct nook_error *e);
/* Notes a bind for --volumes-from of others. */
void run_volume_note(struct cli *c, struct run_volumes *v, const char *source, const char *target, const char *options);
/* The command runs: what was to be filled is full. */
int run_volumes_filled(struct run_volumes *v, struct nook_error *e);
void run_volumes_done(struct run_volumes *v);
