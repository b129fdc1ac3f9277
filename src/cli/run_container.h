/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run container:NAME */
#pragma once

#include "command/command.h"
#include "plan/plan.h"
#include "runtime/container.h"
#include "spec/spec.h"

struct run_options;
struct run_container {
	struct container container;
	const struct plan *plan;
	int *locks; /* nobody else uses what it keeps */
	size_t n_locks;
};

/* It has ended, and nobody uses its layer: locked. */
int run_container_find(struct cli *c, struct store_run *r, const char *name, struct run_container *ret, struct nook_error *e);
int run_container_root(struct cli *c, const struct run_options *o, const struct run_container *from, struct spec *s, struct nook_error *e);
void run_container_done(struct run_container *from);
