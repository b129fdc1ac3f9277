/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of limits: what is set in struct spec_resources, spelt for the cgroup version each controller is found in. */
#pragma once

#include "cgroup/cgroup.h"

enum cgroup_version { CGROUP_NOWHERE, CGROUP_V1, CGROUP_V2 };

struct limit {
	enum cgroup_controller controller;
	const char *member;      /* for messages: "linux.resources.memory.limit" */
	const char *file, *value; /* as struct cgroup_write has them */
	bool optional;
};
struct limit_list {
	struct limit *items;
	size_t n;
};

/* Controllers that are needed because a limit is set (asked), and because of a default that may be missing. */
void limits_controllers(const struct spec_resources *r, unsigned *ret_asked, unsigned *ret_default);
/* The first member that is set and belongs to this controller, for the message that it cannot be had. */
const char *limits_member(const struct spec_resources *r, enum cgroup_controller c);
/* Limits in the order in which they must be written to a new group; controllers that are CGROUP_NOWHERE are left out. */
int limits_spell(struct arena *a, const struct spec_resources *r, const enum cgroup_version where[CGROUP_CONTROLLERS],
                 struct limit_list *ret, struct nook_error *e);
/* 2..262144 to 1..10000 so that the defaults 1024 and 100 meet, as runc and crun convert them today. */
uint64_t limits_weight_of_shares(uint64_t shares);

/* What the other version calls a file, or NULL. */
const char *limits_other_name(const char *file);

/* cgroup_want() for a container that has these groups: its other groups get the same path, and nothing is made by
 * default. */
int cgroup_want_more(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const struct cgroup *existing,
                     struct cgroup_want *ret, struct nook_error *e);
