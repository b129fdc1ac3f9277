/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_names.h"

#include "base/text.h"

#include "security/seccomp_names_numbers.h"

enum { N_CALLS = sizeof(call_at) / sizeof(call_at[0]), N_ABIS = sizeof(abis) / sizeof(abis[0]) };

static const char *const known_archs[] = {
	"SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64",     "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL",      "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",       "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",        "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB",
};

static const struct {
	const char *name;
	uint8_t number;
} by_socketcall[] = {
	{"socket", 1},      {"bind", 2},        {"connect", 3},     {"listen", 4},   {"accept", 5},
	{"getsockname", 6}, {"getpeername", 7}, {"socketpair", 8},  {"send", 9},     {"recv", 10},
	{"sendto", 11},     {"recvfrom", 12},   {"shutdown", 13},   {"setsockopt", 14}, {"getsockopt", 15},
	{"sendmsg", 16},    {"recvmsg", 17},    {"accept4", 18},    {"recvmmsg", 19}, {"sendmmsg", 20},
}, by_ipc[] = {
	{"semop", 1},   {"semget", 2},  {"semctl", 3},  {"semtimedop", 4}, {"msgsnd", 11}, {"msgrcv", 12},
	{"msgget", 13}, {"msgctl", 14}, {"shmat", 21},  {"shmdt", 22},     {"shmget", 23}, {"shmctl", 24},
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

const int32_t *seccomp_numbers_find(const char *name)
{
	size_t low = 0, high = N_CALLS;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, call_names + call_at[middle]);

		if (order == 0)
			return call_nrs[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

uint32_t seccomp_multiplexed_find(const char *name, const int32_t **ret_nrs)
{
	for (size_t i = 0; i < sizeof(by_socketcall) / sizeof(by_socketcall[0]); i++)
		if (text_is(by_socketcall[i].name, name)) {
			*ret_nrs = seccomp_numbers_find("socketcall");
			return *ret_nrs ? by_socketcall[i].number : 0;
		}
	for (size_t i = 0; i < sizeof(by_ipc) / sizeof(by_ipc[0]); i++)
		if (text_is(by_ipc[i].name, name)) {
			*ret_nrs = seccomp_numbers_find("ipc");
			return *ret_nrs ? by_ipc[i].number : 0;
		}
	return 0;
}

const char *seccomp_name_find(size_t abi, uint32_t nr)
{
	for (size_t i = 0; abi < N_ABIS && i < N_CALLS; i++)
		if (call_nrs[i][abi] == (int32_t)nr)
			return call_names + call_at[i];
	return NULL;
}
