/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_names.h"

#include "base/text.h"

#include "security/seccomp_names_numbers.h"

enum { N_CALLS = sizeof(call_at) / sizeof(call_at[0]), N_ABIS = sizeof(abis) / sizeof(abis[0]) };

static const char *const known_archs[] = {
	"SCMP_ARCH_X86",
	"SCMP_ARCH_X86_64",
	"SCMP_ARCH_X32",
	"SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64",
	"SCMP_ARCH_MIPS",
	"SCMP_ARCH_MIPS64",
	"SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL",
	"SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32",
	"SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE",
	"SCMP_ARCH_S390",
	"SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC",
	"SCMP_ARCH_PARISC64",
	"SCMP_ARCH_RISCV64",
	"SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",
	"SCMP_ARCH_SH",
	"SCMP_ARCH_SHEB",
};

const struct seccomp_abi *seccomp_abi_at(size_t i)
{
	return i < N_ABIS ? &abis[i] : NULL;
}

int seccomp_arch_is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(known_archs) / sizeof(known_archs[0]); i++)
		if (text_is(known_archs[i], name))
			return 1;
	return 0;
}

const size_t seccomp_calls_known = N_CALLS;

int seccomp_call_find(const char *name)
{
	int low = 0, high = N_CALLS;

	while (low < high) {
		int middle = (low + high) / 2;
		int order = strcmp(name, call_names + call_at[middle]);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

const struct seccomp_numbers *seccomp_call_at(int index)
{
	return &call_numbers[index];
}

const struct seccomp_numbers *seccomp_numbers_find(const char *name)
{
	int index = seccomp_call_find(name);

	return index < 0 ? NULL : &call_numbers[index];
}

int seccomp_call_by_number(size_t abi, size_t i)
{
	return abi < N_ABIS && i < N_CALLS ? call_order[abi][i] : -1;
}

const char *seccomp_name_find(size_t abi, uint32_t nr)
{
	for (size_t i = 0; abi < N_ABIS && i < N_CALLS; i++)
		if (call_numbers[i].nrs[abi] == (int32_t)nr)
			return call_names + call_at[i];
	return NULL;
}
