/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hooks that run after the start and after the end; those before are steps of the plan. */
#pragma once

#include "oci/oci.h"

/* Runs the hooks of KIND in order and stops at the first that fails. */
int oci_hooks_run(const struct container *c, const struct spec_hook *hooks, size_t n, const char *state, struct nook_error *e);
/* Runs all, whatever fails: failures are warnings. */
void oci_hooks_run_all(const struct oci *o, const struct container *c, const struct spec_hook *hooks, size_t n, const char *state);
