/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups that systemd makes: a container is a transient scope in a slice.  systemd is told what the limits are, as it may
 * write them again at any time; what it has no words for is written to the group beside it (Delegate=yes).
 */
#pragma once

#include "base/alloc.h"
#include "spec/spec.h"
#include "sys/dbus.h"

struct systemd_unit {
	const char *slice; /* "system.slice" */
	const char *name;  /* "nook-ID.scope" */
	bool user;         /* of the caller's own systemd, not of the machine's */
};

/* From cgroupsPath: "SLICE:PREFIX:NAME", any part may be empty; "" is a scope "nook-ID.scope". */
int systemd_unit_parse(struct arena *a, const char *path, const char *id, bool user, struct systemd_unit *ret, struct nook_error *e);

/* Properties for a unit: an array of (name, variant) without its frame. */
int systemd_put_resources(struct buf *b, const struct spec_resources *r, struct nook_error *e);
/* One property in the text form of GVariant: "uint64 5", "true", "'text'", "['a', 'b']".  A NAME that ends with Sec takes
 * seconds and becomes the USec that systemd knows. */
int systemd_put_property(struct buf *b, const char *name, const char *value, struct nook_error *e);

/* Starts the scope with PID in it and returns when systemd has done it.  PROPERTIES: as above, may be empty.
 * -EEXIST: a unit of this name is running. */
int systemd_start(struct dbus *d, const struct systemd_unit *u, pid_t pid, const char *description, const struct buf *properties,
	struct nook_error *e);
/* Moves PID into the unit, or into the group BELOW ("/name") of it.  Whoever owns process and unit may ask for that, wherever
 * the process is. */
int systemd_attach(struct dbus *d, const char *unit, const char *below, pid_t pid, struct nook_error *e);
/* Changes the limits of a unit that runs. */
int systemd_set(struct dbus *d, const char *unit, const struct spec_resources *r, struct nook_error *e);
/* Ends the unit, and returns when systemd has forgotten it; fine when it has already. */
int systemd_stop(struct dbus *d, const char *unit, struct nook_error *e);
