/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container has when nobody asks for anything.  The functions are apart so that a front end takes what it needs;
 * spec_defaults() is all of them.  They come first, options change what they set, spec_defaults_finish() comes last.
 */
#pragma once

#include "spec/spec.h"

#include <linux/capability.h>

/* Everything below, on a fresh spec. */
void spec_defaults(struct spec *s);

/* A private namespace of each kind but time (which would only slow the clocks down) and the loopback device up.  User is
 * private too: the front end gives the maps or takes it back. */
void spec_default_namespaces(struct spec *s);
/* Masked and read-only paths, capabilities, seccomp, no_new_privs, keyring, device rules. */
void spec_default_security(struct spec *s);
/* Rlimits, number of processes, oom score, umask, PATH. */
void spec_default_process(struct spec *s);

/* What follows from the rest once options and id maps are known: sysctls of a private network namespace, the group of
 * terminals, no swap beside a memory limit. */
void spec_defaults_finish(struct spec *s);

/* Options of a container's tmpfs of BYTES: the size, and never more inodes than pages. */
const char *spec_tmpfs_options(struct arena *a, const char *words, uint64_t bytes);

/* The capabilities of the default set as a mask: nothing here reaches a host device, another's packets or the audit log. */
#define SPEC_DEFAULT_CAPS                                                                                              \
	(1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_KILL |     \
		1ULL << CAP_SETGID | 1ULL << CAP_SETUID | 1ULL << CAP_SETPCAP | 1ULL << CAP_SETFCAP |                    \
		1ULL << CAP_NET_BIND_SERVICE | 1ULL << CAP_SYS_CHROOT)
/* The search path a container has without an image that says otherwise. */
extern const char spec_default_path[];
/* Appends the rules for the devices every container may use, behind what is there. */
void spec_default_device_rules(struct arena *a, struct spec_resources *r);
