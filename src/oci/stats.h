/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of a container's groups in the form in which engines read them from `events`. */
#pragma once

#include "cgroup/cgroup.h"
#include "json/out.h"

/* The members of the object "data". */
int oci_stats_write(struct json_out *o, struct arena *a, const struct cgroup *g, struct nook_error *e);
