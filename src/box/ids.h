/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who the users of a box are: ids that nobody else has.  Root takes a range beyond those of containers, with all sources
 * idmapped; everybody else has the own id alone, unless a rule asks for those of /etc/subuid, or says all of it.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

struct nook_box;
struct plan_host;
struct plan_request;
struct spec;

int box_set_user(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_map(struct nook_box *b, const char *value, struct nook_error *e);
/* The user of the command and the maps of the user namespace, to S and Q. */
int box_ids(const struct nook_box *b, const struct plan_host *host, struct arena *a, struct spec *s, struct plan_request *q,
	struct nook_error *e);
