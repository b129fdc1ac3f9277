/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container as the specification shows it (runtime.md, "State"): for the command, for lists and for hooks. */
#pragma once

#include "json/out.h"
#include "runtime/container.h"

/* Appends the state as an object; inside an array or on its own. */
void oci_state_write(struct json_out *o, struct arena *a, const struct container *c, enum container_status status);
/* As an object's member, in the form that hooks read. */
void oci_state_member(struct json_out *o, const char *key, const struct container *c, enum container_status status);
/* The version that the container's configuration has. */
const char *oci_version_of(const struct container *c);
/* The document that a hook reads: one line.  STATE_PID_LATER writes %PID%, for launch() to fill in. */
enum { STATE_PID_LATER = -1 };
const char *oci_hook_state(struct arena *a, const struct container *c, enum container_status status, pid_t pid);
/* "2026-01-31T12:00:00.123456789Z" */
const char *oci_time(struct arena *a, int64_t ns);
