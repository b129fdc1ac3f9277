/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OCI bundles: config.json of runtime-spec 1.x to struct spec and back, by bind tables that hold all of version 1.3.
 * Unknown members are ignored; a wrong one is an error of STEP_CONFIG whose object is its path ("linux.namespaces[2]").
 */
#pragma once

#include "json/bind.h"
#include "spec/spec.h"

/* What the runtime announces as its version of the specification. */
#define CONFIG_OCI_VERSION "1.3.0"

/* Reads DIR/NAME ("config.json") as it stands, without judging it as a whole. */
int config_load(int dir, const char *name, struct spec *s, struct nook_error *e);
int config_read(struct json *root, struct spec *s, struct nook_error *e);
/* Makes what was read a container of the bundle at the absolute path BUNDLE: paths become absolute, what the specification
 * demands of every container is added, and spec_check() has said yes. */
int config_settle(const char *bundle, struct spec *s, struct nook_error *e);
/* Reads FILE (NULL: BUNDLE/config.json; a relative one is taken from the working directory) and settles it. */
int config_load_bundle(const char *bundle, const char *file, struct spec *s, struct nook_error *e);

/* May the configuration ask for a user namespace?  A look at its text, for who wants to know before it is parsed; yes for
 * what is no regular file, because it may be read only once. */
bool config_may_have_userns(const char *bundle, const char *file);

void config_text(const struct spec *s, enum json_style style, struct buf *text);

/* A file with the "process" object alone (exec --process): replaces S->process and says so in S->has_process. */
int config_load_process(int dir, const char *name, struct spec *s, struct nook_error *e);
/* Mounts alone: an object with "mounts", or that list. */
int config_load_mounts(int dir, const char *name, struct spec *s, struct nook_error *e);
/* Makes their sources absolute from the directory BUNDLE. */
int config_settle_mounts(const char *bundle, struct spec *s, struct nook_error *e);
/* The hooks of poststart and poststop alone, kept in a container's state until their time comes. */
int config_save_hooks(int dir, const char *name, const struct spec *s, struct nook_error *e);
int config_load_hooks(int dir, const char *name, struct spec *s, struct nook_error *e);

/* A "linux.resources" object (update --resources) on top of R; FD is read to its end, NAME is for messages.  Rules for
 * devices, if any, are completed as those of a bundle. */
int config_read_resources(int fd, const char *name, struct arena *a, struct spec_resources *r, struct nook_error *e);
