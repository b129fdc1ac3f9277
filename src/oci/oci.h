/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook-oci: the command line that engines expect of an OCI runtime.  A command is one file (cmd_NAME.c): an options
 * struct, its table, run(), and one `const struct oci_command`.  main.c parses, logs, and ends with the status.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "opt/opt.h"
#include "runtime/container.h"

#include <stdbool.h>

/* What the global options say. */
struct oci_globals {
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless, *criu;
	bool debug, systemd, version, help;
};

enum oci_manager { MANAGER_CGROUPFS, MANAGER_SYSTEMD, MANAGER_NONE };

struct oci {
	struct arena *arena; /* lives as long as the program */
	const char *root;    /* where states are kept; absolute */
	bool root_is_own;    /* nobody named it: below XDG_RUNTIME_DIR, it has to be the caller's */
	enum oci_manager manager;
	const char *criu;    /* the program */
	struct oci_log *log;
	char *const *argv;   /* of the program, to start it anew */
	bool safe;           /* nobody could write this program's file: oci_start_protect() has looked */
};

struct oci_command {
	const char *name, *usage, *summary;
	const struct opt *options; /* ends with a zeroed row, or NULL */
	size_t options_size;
	enum opt_mode mode;
	int min_args, max_args; /* max_args -1: any number */
	bool starts; /* it begins all anew first, and holds SIGPIPE back by itself then */
	/* The program's exit status, or -errno with E recorded. */
	int (*run)(struct oci *o, void *options, int argc, char **argv, struct nook_error *e);
};

extern const struct oci_command *const oci_commands[]; /* NULL-terminated, sorted */
extern const struct opt oci_global_options[];

/* One line in the log with level "warning". */
void oci_warn(const struct oci *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The directory of states; opened (and made) at the first use. */
int oci_store(struct oci *o, struct store_run **ret, struct nook_error *e);
/* Takes out of the process's capabilities what is not in HAVE, the caller's, who cannot give it, with a warning; engines ask for all that there are
 * when they mean "as much as possible".  In a user namespace of its own a container has them all. */
void oci_clamp_caps(const struct oci *o, struct spec_process *p, uint64_t have);
/* The caller's capabilities. */
uint64_t oci_permitted(void);
/* A terminal that is relayed to the caller's is born with the size of that one, unless the process says otherwise: a program
 * may ask for it at once. */
void oci_terminal_size(struct spec_process *p);
/* The container that has exactly this id.  -ENOENT: "container does not exist", the words that clients look for. */
int oci_load(struct oci *o, struct store_run *r, const char *id, struct container *ret, struct nook_error *e);
