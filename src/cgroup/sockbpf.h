/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What net_cls and net_prio do on v1, for v2: every socket that is made in the group starts with a mark and a priority. */
#pragma once

#include "cgroup/devices.h"

/* CLASSID (NULL: none) becomes SO_MARK, the one priority of PRIOS SO_PRIORITY.  -EOPNOTSUPP when interfaces have
 * different ones: a socket is not bound to an interface when it is made. */
int sockbpf_program(struct arena *a, const struct opt_u64 *classid, const struct spec_ifprio *prios, size_t n_prios,
                    struct bpf_list *ret, struct nook_error *e);
