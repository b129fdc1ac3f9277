/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.json of runtime-spec 1.x to struct spec and back, by bind tables that hold all of version 1.3.
 * Unknown members are ignored; a wrong one is an error of STEP_CONFIG whose object is its path ("linux.namespaces[2]").
 */
#pragma once

#include "json/bind.h"
#include "spec/spec.h"

/* What the runtime announces as its version of the specification. */
#define CONFIG_OCI_VERSION "1.3.0"

/* Reads DIR/NAME ("config.json") as it stands, without judging it as a whole; bundle.h makes a container of it. */
int config_load(int dir, const char *name, struct spec *s, struct nook_error *e);
int config_read(struct json *root, struct spec *s, struct nook_error *e);
void config_text(const struct spec *s, enum json_style style, struct buf *text);

/* The process and the annotations alone, of a configuration. */
int config_load_process(int dir, const char *name, struct spec *s, struct nook_error *e);
/* Mounts alone: an object with "mounts", or that list. */
int config_load_mounts(int dir, const char *name, struct spec *s, struct nook_error *e);
/* The hooks of poststart and poststop alone, kept in a container's state until their time comes. */
int config_save_hooks(int dir, const char *name, const struct spec *s, struct nook_error *e);
int config_load_hooks(int dir, const char *name, struct spec *s, struct nook_error *e);
