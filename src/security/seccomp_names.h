/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of system calls and architectures, for the machine that nook was built for.  libseccomp gave the numbers at
 * build time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* An ABI that the kernel of this architecture runs: 0 is the native one. */
struct seccomp_abi {
	const char *name; /* "SCMP_ARCH_X86_64" */
	uint32_t audit_arch;
	uint32_t base; /* what the ABI adds to each number (x32: 0x40000000) */
	int narrow;    /* arguments are 32 bits wide */
};

enum { SECCOMP_ABIS = 3 };

/* The numbers of one call. */
struct seccomp_numbers {
	int32_t nrs[SECCOMP_ABIS]; /* -1: the ABI does not have it */
	/* Old ABIs also reach it through socketcall(2) or ipc(2), whose first argument is then this; 0: they do not. */
	uint8_t socketcall, ipc;
};

/* NULL at the end of the list. */
const struct seccomp_abi *seccomp_abi_at(size_t i);
/* Is this the name of any architecture that OCI knows? */
int seccomp_arch_is_known(const char *name);
/* Known calls have an index, in the order of their names. */
extern const size_t seccomp_calls_known;
/* The index of a name, or -1 when no ABI here knows the call. */
int seccomp_call_find(const char *name);
const struct seccomp_numbers *seccomp_call_at(int index);
/* The index of the Ith call of an ABI, counted by number; -1 behind the last. */
int seccomp_call_by_number(size_t abi, size_t i);
/* The name of a number in an ABI, or NULL. */
const char *seccomp_name_find(size_t abi, uint32_t nr);
/* NULL when no ABI here knows the call. */
const struct seccomp_numbers *seccomp_numbers_find(const char *name);
