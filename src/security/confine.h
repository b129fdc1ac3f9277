/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A helper program shuts itself in before it touches what others made.  None of this can be undone. */
#pragma once

#include "base/error.h"
#include "spec/spec.h"

#include <stdint.h>
#include <sys/resource.h>

/* Sanitizers need memory and system calls that these walls take away. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

/* Keeps the capabilities of the mask out of those that it has, gains no others, cannot be traced and leaves no core. */
int confine_start(uint64_t keep_caps, struct nook_error *e);
/* Lowers a limit, soft and hard. */
int confine_limit(int resource, rlim_t most, struct nook_error *e);
/* Landlock: no file at all, and no process outside.  A kernel without it leaves that to confine_calls(). */
int confine_files(struct nook_error *e);
/* System calls outside of the rules fail with EPERM; under a sanitizer there is no filter. */
int confine_calls(struct seccomp_rule *rules, size_t n, struct nook_error *e);
/* The other way round: what no rule speaks of is allowed. */
int confine_without(struct seccomp_rule *rules, size_t n, struct nook_error *e);
