/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of system calls and architectures, for the machine that nook was built for.  libseccomp gave the numbers at
 * build time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* An ABI that the kernel of this architecture runs: 0 is the native one. */
struct seccomp_abi {
	const char *name;    /* "SCMP_ARCH_X86_64" */
	uint32_t audit_arch;
	uint32_t base;       /* what the ABI adds to each number (x32: 0x40000000) */
	int narrow;          /* arguments are 32 bits wide */
};

enum { SECCOMP_ABIS = 3 };

/* NULL at the end of the list. */
const struct seccomp_abi *seccomp_abi_at(size_t i);
/* Is this the name of any architecture that OCI knows? */
int seccomp_arch_is_known(const char *name);
/* The numbers of a call in each ABI, -1 where it has none, or NULL when no ABI here knows it. */
const int32_t *seccomp_numbers_find(const char *name);
/* Old ABIs reach some calls through socketcall(2) or ipc(2), whose first argument says which one is meant: that number,
 * and the numbers of socketcall or ipc in *ret_nrs; 0 when NAME is none of those calls. */
uint32_t seccomp_multiplexed_find(const char *name, const int32_t **ret_nrs);
/* The name of a number in an ABI, or NULL. */
const char *seccomp_name_find(size_t abi, uint32_t nr);
