/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same profile compiled by libseccomp: what nook's filters are compared with. */
#pragma once

#include "security/seccomp.h"

#include <stdbool.h>

struct oracle {
	struct sock_filter *filter;
	size_t n;
};

/* libseccomp's own program for the rules of S (names that it does not know must not be in it).  BAD_ARCH is an action
 * of libseccomp's.  Ends the test when libseccomp refuses a rule. */
struct oracle oracle_build(struct arena *a, const struct spec_seccomp *s, uint32_t bad_arch);
/* An action with its data, as OCI means it. */
uint32_t oracle_action(uint32_t action, struct opt_u64 errno_ret);
bool oracle_knows(const char *name);
