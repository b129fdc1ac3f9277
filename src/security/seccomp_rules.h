/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of a profile, which name calls, become verdicts on numbers. */
#pragma once

#include "security/seccomp_names.h"
#include "security/seccomp_ranges.h"

struct seccomp_rules; /* a profile's rules, sorted by the calls that they name */

/* An action with its data; SECCOMP_RET_ERRNO and SECCOMP_RET_TRACE have EPERM when nothing was said. */
uint32_t seccomp_rule_verdict(uint32_t action, struct opt_u64 errno_ret);

/* *ret lives in A.  Names that this machine does not know are passed over, as every runtime does. */
int seccomp_rules_sort(struct arena *a, const struct spec_seccomp *s, struct seccomp_rules **ret, struct nook_error *e);
/* Adds the calls of one ABI that the rules name. */
void seccomp_rules_ranges(struct arena *a, const struct seccomp_rules *rules, size_t abi, struct seccomp_ranges *r);
