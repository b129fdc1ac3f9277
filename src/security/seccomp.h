/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seccomp filters.  A profile (nook's own or OCI/docker JSON) becomes a binary search over ranges of system call
 * numbers for the native architecture, with the checks of arguments at its leaves.  libseccomp resolves names and is
 * the oracle of the tests; it takes no part in a start with the default profile.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "spec/spec.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* struct seccomp_arg's op, in the order of libseccomp's enum scmp_compare; MASKED_EQ: (arg & value) == value_two. */
enum {
	SECCOMP_OP_NE = 1,
	SECCOMP_OP_LT,
	SECCOMP_OP_LE,
	SECCOMP_OP_EQ,
	SECCOMP_OP_GE,
	SECCOMP_OP_GT,
	SECCOMP_OP_MASKED_EQ,
};
/* A system call has six arguments. */
enum { SECCOMP_ARGS = 6 };

/* The program for SPEC in ARENA memory; caps (the bounding set) decides the conditional parts of the default profile.
 * *ret_n is 0 when the spec asks for no filter. */
int seccomp_compile(struct arena *a, const struct spec_seccomp *s, uint64_t caps, struct sock_filter **ret,
	size_t *ret_n, struct nook_error *e);

/* Reads a profile file in OCI or docker form into S (docker's includes/excludes are judged with CAPS). */
int seccomp_profile_load(
	struct arena *a, const char *path, uint64_t caps, struct spec_seccomp *s, struct nook_error *e);

/* Runs a filter on one call as the kernel would: the SECCOMP_RET_* value.  Only tests ask. */
uint32_t seccomp_verdict(const struct sock_filter *f, size_t n, uint32_t arch, uint32_t nr, const uint64_t args[6]);
