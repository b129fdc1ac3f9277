/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What create, run and restore have in common: from a bundle to a container with a state. */
#pragma once

#include "launch/launch.h"
#include "oci/oci.h"
#include "spec/spec.h"

struct restore_options;
struct start_options {
	const char *bundle, *config, *console_socket, *pid_file, *pidfd_socket;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
	struct opt_u64 preserve_fds;
	const struct restore_options *restore; /* NULL: an ordinary start */
};

#define START_OF(member) offsetof(struct start_options, member)
/* The rows that create and run share. */
#define START_ROWS                                                                                                           \
	{'b', "bundle", "DIR", OPT_STRING, START_OF(bundle), "the bundle (default: here)"},                                  \
		{'f', "config", "FILE", OPT_STRING, START_OF(config), "instead of the bundle's config.json"},                \
		{0, "console-socket", "SOCKET", OPT_STRING, START_OF(console_socket), "send the terminal's descriptor there"}, \
		{0, "pidfd-socket", "SOCKET", OPT_STRING, START_OF(pidfd_socket), "send a pidfd of the first process there"},  \
		{0, "pid-file", "FILE", OPT_STRING, START_OF(pid_file), "write the pid of the first process there"},         \
		{0, "no-pivot", NULL, OPT_FLAG, START_OF(no_pivot), "move the root instead of pivot_root(2), for a ramdisk"},  \
		{0, "no-new-keyring", NULL, OPT_FLAG, START_OF(no_new_keyring), "keep the caller's session keyring"},        \
		{0, "no-subreaper", NULL, OPT_FLAG, START_OF(no_subreaper), "do not become a subreaper"},                    \
		{0, "preserve-fds", "N", OPT_U64, START_OF(preserve_fds), "pass N more descriptors, from 3 on"}

enum start_gate { START_GATED, START_AT_ONCE };

struct started {
	struct container container;
	struct launched process;
	struct spec *spec;  /* the caller's: spec_free() */
	int ready;          /* with START_AT_ONCE: what sd_notify_wait() wants, or negative */
};

/* First of all: begins the program anew from a file that a container cannot write, unless the configuration may ask for ids
 * of its own, for which that is needless; then oci_start() decides. */
int oci_start_protect(struct oci *o, const struct start_options *opts, struct nook_error *e);
/* Makes the container ID and, with a gate, leaves it waiting for `start`.  On failure nothing is left of it. */
int oci_start(struct oci *o, struct store_run *r, const struct start_options *opts, const char *id, enum start_gate gate,
	struct started *ret, struct nook_error *e);
void started_done(struct started *s);

/* The name of the gate in a container's directory. */
#define START_GATE "exec.sock"
/* Hooks that are still to come, in the same directory; absent when there are none. */
#define OCI_HOOKS_FILE "hooks.json"
