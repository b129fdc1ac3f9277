/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Namespaces that live without a process: bind mounts of nsfs files at RUN/ns/NAME/TYPE.  A mount namespace can be pinned
 * only where mounts do not propagate, so RUN/ns/NAME is then a private mount of itself.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "sys/ns.h"

/* The directory of the pins of NAME, which is checked; nothing is made. */
int ns_pins_path(struct arena *a, const char *run, const char *name, const char **ret, struct nook_error *e);
/* Claims the name: -EEXIST when it is taken. */
int ns_pins_make(const char *path, const char *name, int flags, struct nook_error *e);
/* Pins the namespace FD as PATH/TYPE. */
int ns_pins_add(const char *path, const struct ns_type *type, int fd, struct nook_error *e);
/* Lets go of all pins and of the name.  -ENOENT when there is none. */
int ns_pins_remove(const char *path, const char *name, struct nook_error *e);
