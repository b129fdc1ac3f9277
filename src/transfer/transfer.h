/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of nook-transfer, as rows: what nook describes (command/image_options.h), and what runs it. */
#pragma once

#include "command/command.h"

struct transfer_command {
	const struct command *about;
	const char *path; /* of a command below another: "image slim"; NULL: its name */
	int (*run)(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
};

extern const struct transfer_command transfer_commands[]; /* ends with a zeroed one */

int bootstrap_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int commit_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int export_oci_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int image_slim_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int import_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int load_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int login_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int logout_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int manifest_inspect_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int pull_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int push_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int save_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int search_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
int store_check_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e);
