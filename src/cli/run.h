/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One `nook run` (cmd_run.c), and its directories on disk (run_data.c). */
#pragma once

#include "cli/run_container.h"
#include "cli/run_image.h"
#include "cli/run_options.h"
#include "cli/run_volumes.h"
#include "plan/build.h"
#include "runtime/data.h"
#include "runtime/idrange.h"
#include "sys/pid.h"

/* What one start holds; everything by scope or arena. */
struct run {
	struct cli *cli;
	const struct run_options *options;
	struct run_source source;
	struct run_image *image; /* SOURCE_IMAGE; of SOURCE_CONTAINER, its layers are held */
	const struct image_config *config; /* what the source says about the process, or NULL */
	struct spec *spec;
	struct container state;
	struct pid_stat self;
	struct plan_host host;
	struct cgroup_layout layout;
	struct cgroup_want want;
	struct idrange range;
	struct plan_result result;
	struct store_run *store;
	struct run_storage storage;
	struct run_volumes volumes;
	struct run_container from; /* SOURCE_CONTAINER */
	const char *copied;        /* where the image's files are copied to, or NULL */
	const char *file_config;   /* what goes with a file, as text, or NULL */
	bool gone;            /* the container is not there any more, or never was */
	const char *layer;    /* the directory of its layer, or NULL: it is in memory */
	int dir;              /* the locked state directory, or -EBADF */
	int data[DATA_KINDS]; /* locks of its directories on disk */
};

/* Chooses where the files of tar: go; run_data_unpack() puts them there. */
void run_data_use_tar(struct run *r);
/* Gives the container a copy of its image's files (cli/run_copy.h) for a root; run_data_copy() makes it. */
void run_data_use_copy(struct run *r);
/* Chooses where the layer over the root is; run_data_layer_make() makes it. */
void run_data_layer(struct run *r);
/* Once the state names them, each does nothing where there is nothing to do: */
int run_data_unpack(struct run *r, struct nook_error *e);
int run_data_layer_make(struct run *r, struct nook_error *e);
/* Behind the choice of ids. */
int run_data_copy(struct run *r, struct nook_error *e);
