/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a runtime is given: a bundle, one process more, new limits.  Beside reading them (config.h): paths become absolute, what
 * the specification demands of every container is added, and what annotations ask for is done.
 */
#pragma once

#include "spec/spec.h"

/* Makes what was read a container of the bundle at the absolute path BUNDLE: paths become absolute, what the specification
 * demands of every container is added, and spec_check() has said yes. */
int bundle_settle(const char *bundle, struct spec *s, struct nook_error *e);
/* Reads FILE (NULL: BUNDLE/config.json; a relative one is taken from the working directory) and settles it. */
int bundle_load(const char *bundle, const char *file, struct spec *s, struct nook_error *e);

/* May the configuration ask for a user namespace?  A look at its text, for who wants to know before it is parsed; yes for
 * what is no regular file, because it may be read only once. */
bool bundle_may_have_userns(const char *bundle, const char *file);

/* Reads of the same configuration only the process, for one more like it; spec_check_process() is still to be asked. */
int bundle_load_own_process(const char *bundle, const char *file, struct spec *s, struct nook_error *e);
/* A file with the "process" object alone (exec --process): replaces S->process and says so in S->has_process. */
int bundle_load_process(int dir, const char *name, struct spec *s, struct nook_error *e);
/* Makes the sources of mounts absolute from the directory BUNDLE. */
int bundle_settle_mounts(const char *bundle, struct spec *s, struct nook_error *e);
/* A "linux.resources" object (update --resources) on top of R; FD is read to its end, NAME is for messages.  Rules for
 * devices, if any, are completed as those of a bundle. */
int bundle_read_resources(int fd, const char *name, struct arena *a, struct spec_resources *r, struct nook_error *e);
